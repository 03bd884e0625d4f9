// The page around a drawing: boxes open on click, nodes tell what they are, search finds them, ways between nodes light up.
"use strict";

const graph = JSON.parse(document.getElementById("graph").textContent);
const root = treeOf(graph);
const numbers = new Map(graph.nodes.map((node, i) => [node[NAME], i]));
const boxOfNode = new Array(graph.nodes.length);
const boxes = new Map();
let consumers = null; // of each node, made when first asked for
let open = openUpTo(root, 25);
let drawn = null;
let selected = null; // the id of a box
let lit = null; // the nodes on a way

const svg = d3.select("main svg");
const layer = svg.append("g");
const zoom = d3.zoom().scaleExtent([0.02, 4]).on("zoom", (event) => layer.attr("transform", event.transform));
svg.call(zoom).on("dblclick.zoom", null);

(function index() {
  const stack = [root];
  while (stack.length) {
    const box = stack.pop();
    boxes.set(box.id, box);
    if (box.node >= 0) boxOfNode[box.node] = box;
    stack.push(...box.children);
  }
})();

function consumersOf(i) {
  if (!consumers) {
    consumers = graph.nodes.map(() => []);
    graph.nodes.forEach((node, j) => new Set(node[INPUTS]).forEach((input) => consumers[input].push(j)));
  }
  return consumers[i];
}

// ---------------------------------------------------------------- drawing

async function redraw(keep) {
  const before = keep && boxes.get(keep).x !== undefined ? { ...boxes.get(keep) } : null;
  document.getElementById("busy").hidden = false;
  await new Promise((done) => setTimeout(done));
  drawn = await drawing(graph, root, open);
  layer.html(svgInside(graph, drawn));
  document.getElementById("busy").hidden = true;
  mark();
  const after = keep && boxes.get(keep);
  if (before && after.x !== undefined) {
    const t = d3.zoomTransform(svg.node());
    svg.call(zoom.transform, t.translate(before.x - after.x, before.y - after.y));
  } else fit();
}

function fit() {
  const { clientWidth, clientHeight } = svg.node();
  const scale = Math.min(1.2, (clientWidth - 40) / drawn.width, (clientHeight - 40) / drawn.height);
  const x = (clientWidth - drawn.width * scale) / 2;
  svg.call(zoom.transform, d3.zoomIdentity.translate(x, 20).scale(scale));
}

function centre(box) {
  const { clientWidth, clientHeight } = svg.node();
  const scale = Math.max(0.9, d3.zoomTransform(svg.node()).k);
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  svg.call(zoom.transform, d3.zoomIdentity.translate(clientWidth / 2 - x * scale, clientHeight / 2 - y * scale).scale(scale));
}

function mark() {
  const shown = new Set();
  const ends = new Set(); // of lit edges: the boxes, and the packed ones around them
  for (const box of new Set([...(lit || [])].map((i) => drawn.standsFor[i]))) {
    shown.add(box.id);
    for (const end of [box, ...box.packs]) ends.add(end.id);
  }
  svg.classed("lighting", lit !== null);
  layer.selectAll(".box").each(function () {
    const id = this.dataset.id;
    this.classList.toggle("selected", id === selected);
    this.classList.toggle("lit", shown.has(id));
  });
  layer.selectAll(".edge").each(function () {
    this.classList.toggle("lit", lit !== null && ends.has(this.dataset.from) && ends.has(this.dataset.to));
  });
}

layer.on("click", (event) => {
  const group = event.target.closest(".box");
  if (!group) return;
  const box = boxes.get(group.dataset.id);
  if (box.node >= 0) return select(box.node);
  select(null, box);
  if (open.has(box.id)) open.delete(box.id);
  else open.add(box.id);
  redraw(box.id);
});

// Opens every box around a node, and shows it in the middle.
async function reveal(i) {
  let opened = false;
  for (let box = boxOfNode[i].parent; box !== root; box = box.parent) {
    opened = opened || !open.has(box.id);
    open.add(box.id);
  }
  if (opened) await redraw();
  select(i);
  centre(boxOfNode[i]);
}

// ---------------------------------------------------------------- the panel

const aside = document.querySelector("aside");

function select(i, box) {
  selected = box ? box.id : boxOfNode[i].id;
  aside.innerHTML = box ? scopePanel(box) : nodePanel(i);
  mark();
}

function list(title, items) {
  return items.length ? `<h3>${title}</h3><ul>${items.map((item) => `<li>${item}</li>`).join("")}</ul>` : "";
}

const code = (text) => `<code>${escaped(text)}</code>`;
const link = (i) => `<a data-node="${i}">${escaped(graph.nodes[i][NAME])}</a>`;

function nodePanel(i) {
  const node = graph.nodes[i];
  const kind = node[GRADIENT] ? "gradient node" : "forward node";
  return (
    `<h2>${escaped(node[NAME])}</h2><div>${escaped(graph.texts[node[OP]])}, ${kind}${node[STATUS] === "same" ? "" : ", " + node[STATUS]}</div>` +
    list("Changes", node[CHANGES].map(code)) +
    list("Outputs", node[OUTPUTS].map((t, k) => code(`:${k}  ${graph.texts[t]}`))) +
    (node[VALUE] ? list("Value", [code(node[VALUE])]) : "") +
    (node[TAKES].length ? list("Inputs", node[TAKES].map(link)) + list("Given by its functions", node[INPUTS].filter((j) => !node[TAKES].includes(j)).map(link)) : list("Inputs", node[INPUTS].map(link))) +
    (graph.closed[node[NAME]] ? list("Its functions are not shown", [escaped(graph.closed[node[NAME]])]) : "") +
    list("Waits for", node[CONTROLS].map(link)) +
    list("Used by", consumersOf(i).slice(0, 100).map(link)) +
    list("Attributes", node[ATTRS].map((t) => code(graph.texts[t]))) +
    (node[DEVICE] ? list("Device", [code(node[DEVICE])]) : "")
  );
}

function scopePanel(box) {
  const counts = STATUSES.filter((status) => box[status]).map((status) => `${box[status]} ${status}`);
  const ops = new Map();
  for (const i of nodesIn(box)) {
    const op = graph.texts[graph.nodes[i][OP]];
    ops.set(op, (ops.get(op) || 0) + 1);
  }
  const common = [...ops].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const named = numbers.get(box.id.replace(/\/$/, ""));
  const closed = box === root ? Object.keys(graph.closed) : [];
  return (
    `<h2>${escaped(box.id)}</h2><div>${nodesOf(box)}, ${box.gradient} of gradients</div>` +
    (named === undefined ? "" : list("Node", [`${link(named)} ${code(graph.texts[graph.nodes[named][OP]])}`])) +
    list("Calls whose functions are not shown", closed.slice(0, 40).map((name) => link(numbers.get(name)))) +
    list("Compared", counts) +
    list("Ops", common.slice(0, 40).map(([op, n]) => code(`${n} ${op}`)))
  );
}

aside.addEventListener("click", (event) => {
  const node = event.target.dataset.node;
  if (node !== undefined) reveal(Number(node));
});

// ---------------------------------------------------------------- search and ways

function found(text) {
  const wanted = text.toLowerCase();
  const hits = [];
  for (let i = 0; i < graph.nodes.length && hits.length < 200; i++) {
    const [name, op] = [graph.nodes[i][NAME], graph.texts[graph.nodes[i][OP]]];
    const texts = [name, op, ...graph.nodes[i][CHANGES].filter((change) => change.startsWith("name: "))];
    if (texts.some((text) => text.toLowerCase().includes(wanted))) hits.push(i);
  }
  return hits.sort((a, b) => graph.nodes[a][NAME].length - graph.nodes[b][NAME].length);
}

document.getElementById("search").addEventListener("input", (event) => {
  const text = event.target.value.trim();
  if (!text) return;
  const hits = found(text);
  aside.innerHTML = `<h2>${hits.length === 200 ? "The first 200" : hits.length} found</h2>` + list("", hits.map((i) => `${link(i)} ${code(graph.texts[graph.nodes[i][OP]])}`));
});
document.getElementById("search").addEventListener("keydown", (event) => {
  const hits = event.key === "Enter" ? found(event.target.value.trim()) : [];
  if (hits.length) reveal(hits[0]);
});

function reach(start, next) {
  const seen = new Set([start]);
  const queue = [start];
  while (queue.length) for (const j of next(queue.pop())) if (!seen.has(j)) seen.add(j) && queue.push(j);
  return seen;
}

// Every node through which tensors go from one node to another.
function way(from, to) {
  const ahead = reach(from, consumersOf);
  const behind = reach(to, (i) => graph.nodes[i][INPUTS]);
  return new Set([...ahead].filter((i) => behind.has(i)));
}

function light() {
  const [from, to] = ["from", "to"].map((id) => numbers.get(document.getElementById(id).value.trim().replace(/:0$/, "")));
  lit = from === undefined || to === undefined ? null : way(from, to);
  if (lit && !lit.size) lit = way(to, from);
  if (lit && !lit.size) {
    aside.innerHTML = "<h2>No way</h2><div>No tensors go from the one to the other.</div>";
    lit = null;
  }
  if (lit) aside.innerHTML = `<h2>The way</h2><div>${lit.size} nodes</div>` + list("", [...lit].sort((a, b) => a - b).slice(0, 200).map(link));
  mark();
}

for (const id of ["from", "to"]) document.getElementById(id).addEventListener("change", light);
document.getElementById("fit").addEventListener("click", fit);
document.getElementById("close").addEventListener("click", () => {
  open = new Set();
  redraw();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && event.target.tagName !== "INPUT") {
    event.preventDefault();
    document.getElementById("search").focus();
  } else if (event.key === "Escape") {
    lit = null;
    selected = null;
    for (const id of ["search", "from", "to"]) document.getElementById(id).value = "";
    mark();
  }
});

const names = document.getElementById("names");
if (graph.nodes.length <= 5000) names.innerHTML = graph.nodes.map((node) => `<option value="${escaped(node[NAME])}">`).join("");
aside.innerHTML = scopePanel(root).replace("<h2></h2>", "<h2>The graph</h2>");
redraw().then(() => document.body.classList.add("ready"));
