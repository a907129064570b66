"""Scripts: minified without a change of what they do, and their imports led to the fingerprinted files."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.assets.support import fault, made, workshop

# Each prints what a minifier is known to break.
PROGRAM = r"""
// a comment, and 'half of a string
const a = `x  // y ${ ["  z  ", `  ${ 1 + +1 }  `].join("/* */") }  q`;
const re = /[/"'`]  \/\/ x/g.source
let b = 6
let c = 2
let i = 1
const d = b / c /* middle */ / i
const e = b
++c
const f = () => { return }
const g = ((x) => x)
(5)
const h = { "a b": 1, if: 2, [`k`]: 3 }.if
label: for (const x of [1, 2]) { if (x) continue label }
class K { static #p = 1; get p() { return K.#p } static async *gen() { yield 1 } }
var j = 1 .toFixed(1), k = - -b, l = a ?. length, m = typeof /x/ , n = b-- > 0
if (n) ; else ;
do i++
while (i < 3)
const o = i in [1, 2, 3, 4] ? 'yes' : "no  no"
console.log(JSON.stringify([a, re, d, e, f(), g, h, new K().p, j, k, l, m, n, i, o, "\u2028 é ☃"]))
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on the PATH")
def test_a_minified_script_does_the_same(tmp_path: Path) -> None:
    (tmp_path / "small.js").write_text(made(workshop(tmp_path, {"a.js": PROGRAM}), "a.js"), "utf-8")
    (tmp_path / "whole.js").write_text(PROGRAM, "utf-8")
    said = [
        subprocess.run(["node", tmp_path / name], capture_output=True, text=True, check=True).stdout
        for name in ("whole.js", "small.js")
    ]
    assert said[0] == said[1] != ""
    assert (tmp_path / "small.js").stat().st_size < 0.8 * (tmp_path / "whole.js").stat().st_size


def test_licences_stay_and_other_comments_go(tmp_path: Path) -> None:
    text = "/*! by me */\n// no\nlet a = 1 /* no */\n/* no\n*/ let b\n"
    assert made(workshop(tmp_path, {"a.js": text}), "a.js") == "/*! by me */\nlet a=1\nlet b\n"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ('import {a} from "./b.js"', 'import{a}from"./{}"'),
        ("import './b.js'", "import'./{}'"),
        ('export * from "./b.js"', 'export*from"./{}"'),
        ('export {a} from "../js/b.js"', 'export{a}from"./{}"'),
        ('const m = await import("./b.js")', 'const m=await import("./{}")'),
        ('new Worker(new URL("b.js", import.meta.url))', 'new Worker(new URL("./{}",import.meta.url))'),
        ('import x from "lit"', 'import x from"lit"'),
        ('import x from "https://a.example/b.js"', 'import x from"https://a.example/b.js"'),
        ('const t = `import "./c.js"`', 'const t=`import "./c.js"`'),
        ('call("./c.js")', 'call("./c.js")'),
    ],
)
def test_modules_are_led_to_the_fingerprinted_files(tmp_path: Path, written: str, sent: str) -> None:
    shop = workshop(tmp_path, {"js/a.mjs": written, "js/b.js": "export const a = 1"})
    assert made(shop, "js/a.mjs").strip() == sent.replace("{}", shop.file("js/b.js").rpartition("/")[2])


def test_a_module_that_is_not_there_is_told_with_its_place(tmp_path: Path) -> None:
    shop = workshop(tmp_path, {"js/a.js": "// a\nimport {é} from './bb.js'", "js/b.js": ""})
    told = fault(shop, "js/a.js")
    assert told == (
        'assets/js/a.js:2:18: "./bb.js" leads to no asset; there is no assets/js/bb.js; did you mean "js/b.js"?'
    )


def test_modules_in_a_circle_are_refused_with_the_chain(tmp_path: Path) -> None:
    shop = workshop(tmp_path, {"a.js": 'import "./b.js"', "b.js": 'import "./a.js"'})
    assert "in a circle: a.js → b.js → a.js; " in fault(shop, "a.js")


def test_what_does_not_parse_is_told_with_its_place(tmp_path: Path) -> None:
    told = fault(workshop(tmp_path, {"a.js": "let a = 1\nlet b = = 2\n"}), "a.js")
    assert re.match(r"assets/a\.js:2:\d+: the script doesn't parse; ", told)


def test_what_another_tool_made_is_sent_as_it_is(tmp_path: Path) -> None:
    text = 'let  a  =  1 // x\nimport "./b.min.js"\n//# sourceMappingURL=a.js.map\n'
    shop = workshop(tmp_path, {"a.js": text, "a.js.map": "{}", "b.min.js": "let  c , = ;"})
    sent = made(shop, "a.js")
    b, named = shop.file("b.min.js").rpartition("/")[2], shop.file("a.js.map").rpartition("/")[2]
    assert sent == text.replace("./b.min.js", f"./{b}").replace("a.js.map", f"./{named}")
    assert made(shop, "b.min.js") == "let  c , = ;"
