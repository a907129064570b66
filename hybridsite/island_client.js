// Fills the islands of a page: <slot name="DIGEST" data-island="WHEN">fallback</slot>. docs/islands.md says what it does.
// Comments, and the spaces beside signs, are not served, and what is served stays below 1 KB. So names are short:
// d the document, p a place, h the HTML of its piece, t a template.
let d = document, all = d.querySelectorAll("[data-island]"), due = new Set

// Puts a piece into its place; where that holds the focus, when the focus has left it.
let fill = (p, h) => {
  let t = d.createElement("template")
  t.innerHTML = h
  if (p.contains(d.activeElement)) p.addEventListener("focusout", () => setTimeout(fill, 0, p, h), {once: 1})
  else {
    p.replaceChildren(t.content)
    p.dispatchEvent(new Event("island", {bubbles: 1}))
  }
}

// Fetches all that is due, each piece once, up to 50 in one request. What isn't answered, or not in JSON, keeps its fallback.
let send = async () => {
  let some = [...due], ids = [...new Set(some.map(p => p.name))]
  due.clear()
  while (ids[0]) try {
    let got = await (await fetch(new URL(ids.splice(0, 50) + ".json", import.meta.url))).json()
    for (let p of some) p.name in got && fill(p, got[p.name])
  } catch {}
}

// What is asked for at once goes into one request.
let ask = p => due.add(p).size > 1 || setTimeout(send)

let start = () => all.forEach(p => {
  let w = p.dataset.island
  if (w < "l") (self.requestIdleCallback || setTimeout)(() => ask(p))
  else if (w < "v") ask(p)
  else new IntersectionObserver((e, own) => e.pop().isIntersecting && own.disconnect(ask(p))).observe(p.firstElementChild || p.parentNode)
})

// A page that the browser renders ahead waits until it is shown; one that comes back as it was left is filled anew.
d.prerendering ? d.addEventListener("prerenderingchange", start) : start()
addEventListener("pageshow", e => e.persisted && all.forEach(ask))
