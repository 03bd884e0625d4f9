// From the document of a graph to a drawing: name scopes become boxes, boxes with too many children get groups, ELK says
// where everything lies, and an SVG is written. Nothing here needs a browser.
//
// A group of boxes that are alike is packed: what is inside lies in rows, and edges from outside end at the group.
"use strict";

const [NAME, OP, GRADIENT, STATUS, INPUTS, CONTROLS, OUTPUTS, ATTRS, DEVICE, VALUE, CHANGES, TAKES] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const CROWD = 30; // boxes side by side before they are put into groups
const PACK = 100; // boxes in rows before they are
const FEW = 10; // calls side by side that stay outside of groups, and boxes that are alike
const LABEL = 26; // characters of a label
const CHARACTER = 6.7; // the width of one, at 11 pixels
const NUMBERS = /_?\d+/g; // in names
const STATUSES = ["added", "removed", "changed", "renamed"];

// ---------------------------------------------------------------- scopes

function newBox(id, label, parent) {
  return { id, label, parent, children: [], node: -1, isCall: false, isPacked: false, nodes: 0, depth: 0, gradient: 0, added: 0, removed: 0, changed: 0, renamed: 0 };
}

// The tree of name scopes. A node with the name of a scope lies inside that scope.
function treeOf(graph) {
  const root = newBox("", "", null);
  const scopes = new Map([["", root]]);
  const scopeOf = (path) => {
    let box = scopes.get(path);
    if (!box) {
      const cut = path.lastIndexOf("/");
      const parent = scopeOf(cut < 0 ? "" : path.slice(0, cut));
      box = newBox(path + "/", path.slice(cut + 1), parent);
      scopes.set(path, box);
      parent.children.push(box);
    }
    return box;
  };
  for (const node of graph.nodes) {
    const cut = node[NAME].lastIndexOf("/");
    if (cut > 0) scopeOf(node[NAME].slice(0, cut));
  }
  const depths = depthsOf(graph);
  graph.nodes.forEach((node, i) => {
    const name = node[NAME];
    const cut = name.lastIndexOf("/");
    const own = scopes.get(name);
    if (own && node[TAKES].length) own.isCall = true;
    const parent = own || scopeOf(cut < 0 ? "" : name.slice(0, cut));
    const box = newBox(name, name.slice(cut + 1), parent);
    box.node = i;
    parent.children.push(box);
    for (let b = box; b; b = b.parent) {
      b.nodes += 1;
      b.depth = Math.max(b.depth, depths[i]);
      b.gradient += node[GRADIENT];
      if (node[STATUS] !== "same") b[node[STATUS]] += 1;
    }
  });
  const boxes = [...scopes.values()];
  boxes.forEach(joinOnlyChild);
  boxes.forEach((box) => groupCrowd(graph, box));
  return root;
}

// The length of the longest chain of operations that leads to each node.
function depthsOf(graph) {
  const depths = new Array(graph.nodes.length).fill(0);
  graph.nodes.forEach((node, i) => {
    for (const input of node[INPUTS]) depths[i] = Math.max(depths[i], depths[input] + 1);
  });
  return depths;
}

// A scope that holds nothing but one scope is one box with it.
function joinOnlyChild(box) {
  while (box.parent && box.children.length === 1 && box.children[0].node < 0) {
    const [child] = box.children;
    box.label += "/" + child.label;
    box.id = child.id;
    box.children = child.children;
    box.isCall = child.isCall;
    for (const grandchild of box.children) grandchild.parent = box;
    child.children = [];
  }
}

// Children beyond a crowd are put into groups: what is alike, then neighbours along the flow of data, and groups into groups.
// Scopes of gradients stay outside of groups of forward nodes, and so do a few calls.
function groupCrowd(graph, box) {
  if (box.children.length <= CROWD) return;
  const hasFewCalls = box.children.filter((child) => child.isCall).length <= FEW;
  const isApart = (child) => child.node < 0 && ((child.isCall && hasFewCalls) || (child.gradient === child.nodes && box.gradient < box.nodes));
  const apart = box.children.filter(isApart);
  box.children = box.children.filter((child) => !isApart(child));
  groupAlike(graph, box, namedAlike);
  groupAlike(graph, box, madeAlike);
  box.children.sort((a, b) => a.depth - b.depth);
  groupNeighbours(box);
  box.children.push(...apart);
}

function groupNeighbours(box) {
  const most = box.isPacked ? PACK : CROWD;
  while (box.children.length > most) {
    const size = Math.ceil(box.children.length / Math.ceil(box.children.length / CROWD));
    const groups = [];
    for (let i = 0; i < box.children.length; i += size) {
      const members = box.children.slice(i, i + size);
      groups.push(groupOf(box, members, `${members[0].label} ... ${members[members.length - 1].label}`));
    }
    box.children = groups;
  }
}

function groupOf(parent, members, label) {
  const group = newBox(`${members[0].id}...${members[members.length - 1].id}`, label, parent);
  group.isPacked = parent.isPacked;
  group.children = members;
  for (const member of members) {
    member.parent = group;
    group.depth = Math.max(group.depth, member.depth);
    for (const count of ["nodes", "gradient", ...STATUSES]) group[count] += member[count];
  }
  return group;
}

// Puts boxes into groups that are of one kind, stand at the same place in the flow of data and do not depend on each other:
// the variables of a model, what saves them. `alike` tells a box's kind, and what to call a group of it.
function groupAlike(graph, box, alike) {
  const kinds = new Map();
  for (const child of box.children) {
    const kind = [child.depth, child.gradient > 0, alike(graph, child).kind].join("\n");
    if (!kinds.has(kind)) kinds.set(kind, []);
    kinds.get(kind).push(child);
  }
  for (const members of kinds.values()) {
    if (members.length <= FEW || dependOnEachOther(graph, members)) continue;
    members.sort(byName);
    const group = groupOf(box, members, `${members.length} × ${alike(graph, members[members.length - 1]).name}`);
    group.isPacked = true;
    groupNeighbours(group);
    const grouped = new Set(members);
    box.children = [...box.children.filter((child) => !grouped.has(child)), group];
  }
}

// Names that differ in numbers alone, and the same ops.
function namedAlike(graph, box) {
  const ops = nodesIn(box).map((i) => graph.nodes[i][OP]);
  return { kind: `${box.label.replace(NUMBERS, "")} ${ops.sort((a, b) => a - b).join(" ")}`, name: box.label.replace(/\d+/g, "*") };
}

// Any names, and ops of the same types.
function madeAlike(graph, box) {
  const types = [...new Set(nodesIn(box).map((i) => graph.texts[graph.nodes[i][OP]]))].sort().join(", ");
  return { kind: types, name: types };
}

function nodesIn(box) {
  const found = [];
  const stack = [box];
  while (stack.length) {
    const inner = stack.pop();
    if (inner.node >= 0) found.push(inner.node);
    stack.push(...inner.children);
  }
  return found;
}

function dependOnEachOther(graph, boxes) {
  const owner = new Map();
  for (const box of boxes) for (const i of nodesIn(box)) owner.set(i, box);
  for (const [i, box] of owner) {
    const reads = [...graph.nodes[i][INPUTS], ...graph.nodes[i][CONTROLS]];
    if (reads.some((j) => owner.has(j) && owner.get(j) !== box)) return true;
  }
  return false;
}

// By the letters of names, then by their numbers.
function byName(a, b) {
  const [stem, other] = [a, b].map((box) => box.label.replace(NUMBERS, ""));
  if (stem !== other) return stem < other ? -1 : 1;
  const [first, second] = [a, b].map((box) => (box.label.match(/\d+/g) || []).map(Number));
  const i = first.findIndex((number, k) => number !== second[k]);
  return i < 0 ? first.length - second.length : second[i] === undefined ? 1 : first[i] - second[i];
}

// ---------------------------------------------------------------- what is seen

// The boxes that are seen when these are open, and for each node the box that stands for it. `packs` of a box are the open
// packed boxes that it lies in, the outermost first.
function visible(root, open, nodeCount) {
  const boxes = [];
  const standsFor = new Array(nodeCount);
  const stack = [root];
  while (stack.length) {
    const box = stack.pop();
    const isOpen = box === root || (box.node < 0 && open.has(box.id));
    box.isOpen = isOpen;
    box.packs = !box.parent ? [] : box.parent.isPacked ? [...box.parent.packs, box.parent] : box.parent.packs;
    if (box !== root) boxes.push(box);
    if (isOpen) for (let i = box.children.length - 1; i >= 0; i--) stack.push(box.children[i]);
    else for (const i of nodesIn(box)) standsFor[i] = box;
  }
  return { boxes, standsFor };
}

// Where an edge between two boxes begins and ends: at the outermost packed boxes around them that are not around both.
function ends(a, b) {
  let shared = 0;
  while (shared < a.packs.length && a.packs[shared] === b.packs[shared]) shared++;
  return [a.packs[shared] || a, b.packs[shared] || b];
}

// One edge for all tensors that go from a box to another; control edges apart.
function edgesBetween(graph, standsFor) {
  const edges = new Map();
  const join = (from, to, kind) => {
    const [a, b] = ends(standsFor[from], standsFor[to]);
    if (a === b) return;
    const key = `${a.id}\n${b.id}\n${kind}`;
    const edge = edges.get(key);
    if (edge) edge.count += 1;
    else edges.set(key, { id: key, from: a, to: b, kind, count: 1 });
  };
  graph.nodes.forEach((node, i) => {
    for (const input of node[INPUTS]) join(input, i, "data");
    for (const input of node[CONTROLS]) join(input, i, "control");
  });
  return [...edges.values()];
}

// ---------------------------------------------------------------- layout

const LAYERED = {
  "elk.algorithm": "layered",
  "elk.direction": "DOWN",
  "elk.hierarchyHandling": "INCLUDE_CHILDREN",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  "elk.layered.spacing.nodeNodeBetweenLayers": "26",
  "elk.layered.spacing.edgeNodeBetweenLayers": "12",
  "elk.spacing.nodeNode": "16",
  "elk.spacing.edgeNode": "10",
  "elk.spacing.edgeEdge": "6",
};
const HEADED = {
  "elk.padding": "[top=8,left=12,bottom=12,right=12]",
  "elk.nodeSize.constraints": "[NODE_LABELS]",
  "elk.nodeLabels.placement": "[INSIDE, V_TOP, H_CENTER]",
  "elk.nodeLabels.padding": "[top=6,left=10,bottom=6,right=10]",
};
// Rectangles are packed without regard to the label of what they lie in: the padding leaves room for it.
const PACKED = {
  "elk.algorithm": "rectpacking",
  "elk.hierarchyHandling": "SEPARATE_CHILDREN",
  "elk.padding": "[top=32,left=12,bottom=12,right=12]",
  "elk.spacing.nodeNode": "10",
  "elk.aspectRatio": "2",
};

function shortened(text) {
  return text.length <= LABEL ? text : text.slice(0, LABEL / 2 - 1) + "…" + text.slice(-LABEL / 2);
}

function linesOf(graph, box) {
  if (box.node < 0) return [`${box.isOpen ? "▾" : "▸"} ${shortened(box.label)}`, nodesOf(box)];
  const op = graph.texts[graph.nodes[box.node][OP]];
  return op === box.label ? [shortened(op)] : [shortened(box.label), shortened(op)];
}

function nodesOf(box) {
  return box.nodes === 1 ? "1 node" : `${box.nodes} nodes`;
}

function elkGraph(graph, root, seen) {
  const elkOf = (box) => {
    box.lines = linesOf(graph, box);
    box.mark = marks(box);
    const last = box.isOpen ? 0 : box.lines.length - 1; // the line that the mark stands behind
    const lengths = box.lines.map((line, i) => line.length + (i === last && box.mark ? 1 + box.mark.length : 0));
    const width = Math.max(44, ...lengths.map((length) => length * CHARACTER + 18));
    if (!box.isOpen) return { id: box.id, width, height: 10 + 14 * box.lines.length };
    return {
      id: box.id,
      children: box.children.map(elkOf),
      layoutOptions: box.isPacked ? PACKED : { ...(box.parent.isPacked ? LAYERED : {}), ...HEADED },
      labels: [{ id: box.id + " head", text: box.lines[0], width: width, height: 14 }],
    };
  };
  const edges = edgesBetween(graph, seen.standsFor);
  return {
    edges,
    elk: {
      id: "the graph",
      layoutOptions: {
        ...LAYERED,
        "elk.json.edgeCoords": "ROOT",
        "elk.json.shapeCoords": "ROOT",
        "elk.layered.thoroughness": seen.boxes.length > 300 ? "2" : "7",
      },
      children: root.children.map(elkOf),
      edges: edges.map((edge) => ({ id: edge.id, sources: [edge.from.id], targets: [edge.to.id] })),
    },
  };
}

// Gives every box and edge its place, and the drawing its size.
function place(laidOut, seen, edges) {
  const byId = new Map(seen.boxes.map((box) => [box.id, box]));
  const stack = [...laidOut.children];
  while (stack.length) {
    const { id, x, y, width, height, children } = stack.pop();
    Object.assign(byId.get(id), { x, y, width, height });
    if (children) stack.push(...children);
  }
  const routes = new Map(laidOut.edges.map((edge) => [edge.id, edge.sections || []]));
  for (const edge of edges) edge.sections = routes.get(edge.id) || [];
  return { boxes: seen.boxes, edges, width: laidOut.width, height: laidOut.height };
}

async function drawing(graph, root, open) {
  const seen = visible(root, open, graph.nodes.length);
  const { elk, edges } = elkGraph(graph, root, seen);
  const laidOut = await new ELK().layout(elk);
  return { ...place(laidOut, seen, edges), standsFor: seen.standsFor };
}

// ---------------------------------------------------------------- SVG

function escaped(text) {
  return String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
}

function classesOf(graph, box) {
  const kind = box.gradient === 0 ? "forward" : box.gradient === box.nodes ? "gradient" : "mixed";
  const classes = [box.isOpen ? "open" : box.node < 0 ? "scope" : "node", kind];
  if (box.node >= 0 && graph.texts[graph.nodes[box.node][OP]] === "Const") classes.push("const");
  const whole = STATUSES.find((status) => box[status] === box.nodes);
  const others = STATUSES.filter((status) => box[status]);
  if (whole) classes.push(whole);
  else if (others.length) classes.push(others.length === 1 && others[0] === "renamed" ? "renamed" : "changed");
  return classes.join(" ");
}

// '+3 −1 ~2 →4': what became of the nodes inside.
function marks(box) {
  const signs = { added: "+", removed: "−", changed: "~", renamed: "→" };
  const counted = STATUSES.filter((status) => box[status]);
  return counted.map((status) => signs[status] + (box.node < 0 ? box[status] : "")).join(" ");
}

function boxSvg(graph, box) {
  const title = box.node < 0 ? `${box.id} (${nodesOf(box)})` : `${box.id}: ${graph.texts[graph.nodes[box.node][OP]]}`;
  const radius = box.node < 0 ? 4 : 9;
  const written = (line, i) => escaped(line) + (i === box.lines.length - 1 ? badgeSvg(box) : "");
  const lines = box.isOpen
    ? ""
    : box.lines.map((line, i) => `<text x="${box.x + box.width / 2}" y="${box.y + 17 + 14 * i}" class="line${i}">${written(line, i)}</text>`).join("");
  return `<g class="box ${classesOf(graph, box)}" data-id="${escaped(box.id)}"><title>${escaped(title)}</title><rect x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}" rx="${radius}"/>${lines}</g>`;
}

function badgeSvg(box) {
  return box.mark ? ` <tspan class="badge">${escaped(box.mark)}</tspan>` : "";
}

// The names of open boxes are written over the edges that cross them.
function headSvg(graph, box) {
  return `<text x="${box.x + 10}" y="${box.y + 18}" class="head ${classesOf(graph, box)}">${escaped(box.lines[0])}${badgeSvg(box)}</text>`;
}

function edgeSvg(edge) {
  const path = edge.sections.map((s) => "M" + [s.startPoint, ...(s.bendPoints || []), s.endPoint].map((p) => `${p.x} ${p.y}`).join("L")).join("");
  const width = (1 + Math.log2(edge.count) / 3).toFixed(2);
  const what = edge.kind === "control" ? "control dependencies" : "tensors";
  return `<path class="edge ${edge.kind}" data-from="${escaped(edge.from.id)}" data-to="${escaped(edge.to.id)}" d="${path}" stroke-width="${width}" marker-end="url(#arrow)"><title>${edge.count} ${what}: ${escaped(edge.from.id)} to ${escaped(edge.to.id)}</title></path>`;
}

function svgInside(graph, drawn) {
  const open = drawn.boxes.filter((box) => box.isOpen);
  const closed = drawn.boxes.filter((box) => !box.isOpen);
  return (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" class="head"/></marker></defs>' +
    open.map((box) => boxSvg(graph, box)).join("") +
    drawn.edges.map(edgeSvg).join("") +
    open.map((box) => headSvg(graph, box)).join("") +
    closed.map((box) => boxSvg(graph, box)).join("")
  );
}

// A whole SVG document of the graph with its scopes open as long as few enough boxes are seen.
async function wholeSvg(graph, style, most) {
  const root = treeOf(graph);
  const drawn = await drawing(graph, root, openUpTo(root, most));
  const [width, height] = [Math.ceil(drawn.width + 20), Math.ceil(drawn.height + 20)];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="-10 -10 ${width} ${height}" class="graph"><style>${style}</style><rect x="-10" y="-10" width="100%" height="100%" class="paper"/>${svgInside(graph, drawn)}</svg>\n`;
}

// Scopes to open, outermost first, of these the largest of forward nodes, while no more than `most` boxes are seen. What is
// packed is alike and stays closed.
function openUpTo(root, most) {
  const open = new Set();
  let seen = root.children.length;
  let level = [...root.children];
  while (level.length) {
    const next = [];
    for (const box of level.sort((a, b) => (a.gradient > 0) - (b.gradient > 0) || b.nodes - a.nodes)) {
      if (box.node >= 0 || box.isPacked || seen + box.children.length > most) continue;
      seen += box.children.length;
      open.add(box.id);
      next.push(...box.children);
    }
    level = next;
  }
  return open;
}
