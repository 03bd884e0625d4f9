"""The page of `graphgrad view` in a real browser: opened, clicked, searched, ways lit up, two graphs compared."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from graphgrad_cli.main import cli
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

import graphgrad
from graphgrad import dtypes

MLP = Path(__file__).parents[2] / "samples" / "01_mlp" / "graph.pb"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    quiet = ["background-networking", "component-update", "sync", "quic", "gpu"]
    for argument in [
        "headless",
        "no-sandbox",
        "no-first-run",
        "window-size=1400,900",
        *(f"disable-{w}" for w in quiet),
    ]:
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Any:
    """A function that opens the page of a graph, or of two, and gives the browser."""

    def opened(graph: Any, before: Any = None) -> Any:
        graphgrad.save(graph, tmp_path / "a.pb")
        arguments = ["view", str(tmp_path / "a.pb"), "-o", str(tmp_path / "a.html")]
        if before is not None:
            graphgrad.save(before, tmp_path / "b.pb")
            arguments += ["--against", str(tmp_path / "b.pb")]
        assert CliRunner().invoke(cli, arguments).exit_code == 0
        browser.get((tmp_path / "a.html").as_uri())
        wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, "body.ready"))
        return browser

    yield opened
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def wait(browser: Any, until: Any) -> Any:
    """Waits until nothing is being drawn any more and what is asked for holds; a box found before a drawing is not one after it."""

    def holds(_: Any) -> Any:
        return browser.find_element(By.ID, "busy").get_attribute("hidden") and until()

    return WebDriverWait(browser, 60, ignored_exceptions=[StaleElementReferenceException]).until(holds)


def mlp_with_gradients() -> Any:
    graph = graphgrad.load(MLP)
    graphgrad.gradients("loss", ["W1", "b1"], graph=graph)
    return graph


def box(browser: Any, name: str) -> Any:
    return browser.find_element(By.CSS_SELECTOR, f'.box[data-id="{name}"]')


def click(browser: Any, name: str) -> None:
    """Clicks in the middle of a box, where its label may be."""
    rect = box(browser, name).find_element(By.TAG_NAME, "rect")
    webdriver.ActionChains(browser).move_to_element(rect).click().perform()


def has_box(browser: Any, name: str) -> bool:
    return bool(browser.find_elements(By.CSS_SELECTOR, f'.box[data-id="{name}"]'))


def panel(browser: Any) -> str:
    return str(browser.find_element(By.TAG_NAME, "aside").text)


def overlapping_boxes(browser: Any) -> list[Any]:
    """Pairs of closed boxes whose rectangles on the screen overlap, and labels that reach out of their boxes."""
    return browser.execute_script(  # type: ignore[no-any-return]
        """
        const closed = [...document.querySelectorAll(".box:not(.open)")];
        const rects = closed.map((b) => b.querySelector("rect").getBoundingClientRect());
        const bad = [];
        rects.forEach((a, i) => rects.slice(i + 1).forEach((b, j) => {
          if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
            bad.push([closed[i].dataset.id, closed[i + 1 + j].dataset.id]);
        }));
        closed.forEach((b, i) => b.querySelectorAll("text").forEach((t) => {
          const [label, r] = [t.getBoundingClientRect(), rects[i]];
          if (label.left < r.left || label.right > r.right || label.top < r.top || label.bottom > r.bottom)
            bad.push([b.dataset.id, "its label"]);
        }));
        return bad;
        """
    )


def test_scopes_open_and_close_on_click(page: Any) -> None:
    browser = page(mlp_with_gradients())
    assert has_box(browser, "MatMul")
    browser.find_element(By.ID, "close").click()
    wait(browser, lambda: "open" not in box(browser, "gradients/").get_attribute("class"))
    assert not has_box(browser, "gradients/hidden_grad/")
    click(browser, "gradients/")
    wait(browser, lambda: has_box(browser, "gradients/hidden_grad/"))
    assert "nodes, " in panel(browser)
    browser.find_element(By.ID, "fit").click()
    click(browser, "gradients/hidden_grad/")
    wait(browser, lambda: has_box(browser, "gradients/hidden_grad/ReluGrad"))
    assert overlapping_boxes(browser) == []


def test_a_node_tells_what_it_is(page: Any) -> None:
    browser = page(mlp_with_gradients())
    click(browser, "MatMul")
    text = panel(browser)
    for part in ("MatMul, forward node", "float32[?,16]", "W1", "transpose_a = False", "BiasAdd"):
        assert part in text
    browser.find_element(By.XPATH, "//aside//a[text()='W1']").click()
    wait(browser, lambda: panel(browser).startswith("W1"))
    assert "selected" in box(browser, "W1").get_attribute("class")


def test_search_opens_the_way_to_a_node(page: Any) -> None:
    browser = page(mlp_with_gradients())
    browser.find_element(By.ID, "close").click()
    wait(browser, lambda: not has_box(browser, "gradients/hidden_grad/"))
    search = browser.find_element(By.ID, "search")
    search.send_keys("relugrad")
    assert "1 found" in panel(browser)
    search.send_keys(Keys.ENTER)
    wait(browser, lambda: has_box(browser, "gradients/hidden_grad/ReluGrad"))
    wait(browser, lambda: "gradient node" in panel(browser))


def test_a_way_lights_up(page: Any) -> None:
    browser = page(mlp_with_gradients())
    for field, name in (("from", "loss"), ("to", "W1")):
        browser.find_element(By.ID, field).send_keys(name, Keys.TAB)
    wait(browser, lambda: "lit" in box(browser, "MatMul").get_attribute("class"))
    lit = {e.get_attribute("data-id") for e in browser.find_elements(By.CSS_SELECTOR, ".box.lit")}
    assert {"W1", "MatMul", "BiasAdd", "hidden", "losses"} <= lit
    assert not {"x", "b2", "labels"} & lit
    assert "The way" in panel(browser) and "hidden" in panel(browser)
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.ESCAPE)
    wait(browser, lambda: not browser.find_elements(By.CSS_SELECTOR, ".box.lit"))


def test_the_wheel_zooms(page: Any) -> None:
    browser = page(mlp_with_gradients())
    layer = browser.find_element(By.CSS_SELECTOR, "main svg > g")
    before = layer.get_attribute("transform")
    webdriver.ActionChains(browser).scroll_from_origin(
        webdriver.common.actions.wheel_input.ScrollOrigin.from_element(browser.find_element(By.TAG_NAME, "main")),
        0,
        -200,
    ).perform()
    wait(browser, lambda: layer.get_attribute("transform") != before)


def test_two_graphs_are_one_picture(page: Any) -> None:
    before = graphgrad.load(MLP)
    after = mlp_with_gradients()
    browser = page(after, before)
    assert "added" in box(browser, "gradients/").get_attribute("class")
    assert "added" not in box(browser, "MatMul").get_attribute("class")
    assert f"{len(after.added())} added" in panel(browser)
    assert f"+{len(after.added())}" in box(browser, "gradients/").text
    assert overlapping_boxes(browser) == []


def test_renamed_scopes_are_drawn_once(page: Any) -> None:
    graphs = []
    for outer in ("encoder", "backbone"):
        graph = graphgrad.Graph()
        g = graph.build
        x = g.Placeholder(dtype=dtypes.float32, shape=(), name="x")
        with g.name_scope(outer):
            x = g.Exp(g.Neg(x, name="first"), name="second")
        g.Abs(x, name="out")
        graphs.append(graph)
    browser = page(graphs[1], graphs[0])
    assert has_box(browser, "backbone/second") and not has_box(browser, "encoder/")
    assert "→2" in browser.find_element(By.CSS_SELECTOR, "text.head").text
    assert {c for b in browser.find_elements(By.CSS_SELECTOR, ".box") for c in b.get_attribute("class").split()} >= {
        "renamed"
    }
    assert "2 renamed" in panel(browser)
    browser.find_element(By.ID, "search").send_keys("encoder/fi", Keys.ENTER)
    wait(browser, lambda: "name: encoder/first -> backbone/first" in panel(browser))
    assert overlapping_boxes(browser) == []


def test_gradients_are_in_no_group_of_forward_nodes(page: Any) -> None:
    graph = graphgrad.Graph()
    x = graph.build.Placeholder(dtype=dtypes.float32, shape=(), name="x")
    for _ in range(100):
        x = graph.build.Neg(x)
    graphgrad.gradients([x], ["x:0"], graph=graph)
    browser = page(graph)
    browser.find_element(By.ID, "close").click()
    wait(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, ".box")) == 5)
    assert "gradient" in box(browser, "gradients/").get_attribute("class")


def test_a_call_opens_into_its_function(page: Any) -> None:
    browser = page(graphgrad.load(MLP.parents[1] / "08_saved_model" / "model"))
    call = "StatefulPartitionedCall"
    browser.find_element(By.ID, "close").click()
    wait(browser, lambda: not has_box(browser, f"{call}/features"))
    click(browser, f"{call}/")
    wait(browser, lambda: has_box(browser, f"{call}/features"))
    browser.find_element(By.XPATH, f"//aside//a[text()='{call}']").click()
    wait(browser, lambda: "Given by its functions" in panel(browser))
    assert "serving_default_features" in panel(browser) and f"{call}/Identity" in panel(browser)
    browser.find_element(By.ID, "search").send_keys("Tanh", Keys.ENTER)
    wait(browser, lambda: has_box(browser, f"{call}/{call}/{call}/Tanh"))
    assert overlapping_boxes(browser) == []
    for field, name in (("from", "serving_default_features"), ("to", call)):
        browser.find_element(By.ID, field).send_keys(name, Keys.TAB)
    wait(browser, lambda: "lit" in box(browser, f"{call}/{call}/{call}/Tanh").get_attribute("class"))


def test_hundreds_of_variables_are_one_box_that_opens_into_rows(page: Any) -> None:
    graph = graphgrad.Graph()
    g = graph.build
    values = []
    for i in range(960):
        v = g.VarHandleOp(dtype=dtypes.float32, shape=(2,), name=f"layer_{i}/kernel")
        values.append(g.ReadVariableOp(v, dtype=dtypes.float32, name=f"layer_{i}/kernel/Read"))
    g.AddN(values, name="sum")
    browser = page(graph)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".box")) == 2
    everything = "layer_0/kernel/...layer_959/kernel/"
    assert "960 × layer_*" in box(browser, everything).text
    click(browser, everything)
    wait(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, ".box")) == 34)
    browser.find_element(By.ID, "fit").click()
    assert overlapping_boxes(browser) == []
    width, height = browser.execute_script("return [drawn.width, drawn.height]")
    assert width < 1400 and height < 700
    assert len(browser.find_elements(By.CSS_SELECTOR, ".edge")) == 1, "edges end at the box"
    browser.find_element(By.ID, "search").send_keys("layer_77/kernel/Read", Keys.ENTER)
    wait(browser, lambda: has_box(browser, "layer_77/kernel/Read"))
    assert overlapping_boxes(browser) == []
    for field, name in (("from", "layer_77/kernel"), ("to", "sum")):
        browser.find_element(By.ID, field).send_keys(name, Keys.TAB)
    wait(browser, lambda: "lit" in box(browser, "layer_77/kernel/Read").get_attribute("class"))
    lit = browser.find_elements(By.CSS_SELECTOR, ".edge.lit")
    assert {edge.get_attribute("data-to") for edge in lit} == {"layer_77/kernel/Read", "sum"}


def test_a_hundred_thousand_nodes(page: Any) -> None:
    graph = graphgrad.Graph()
    g = graph.build
    x = g.Placeholder(dtype=dtypes.float32, shape=(), name="x")
    for block in range(100):
        with g.name_scope(f"block_{block}"):
            for _ in range(1000):
                x = g.Neg(x)
    browser = page(graph)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".box")) < 200
    browser.find_element(By.ID, "search").send_keys("block_77/Neg_500", Keys.ENTER)
    wait(browser, lambda: has_box(browser, "block_77/Neg_500"))
    assert overlapping_boxes(browser) == []
