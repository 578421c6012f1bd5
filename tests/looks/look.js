// What is wrong with a page as it is shown now: a list of [check, where and what]. Called with the width of the window.
(async (width) => {
  if (!document.querySelector("#still")) {
    // Colours are looked at when they have come to rest.
    document.head.append(Object.assign(document.createElement("style"), { id: "still", innerText: "* { transition: none !important; animation: none !important }" }));
  }
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  await document.fonts.ready;
  await window.MathJax?.startup?.promise;
  const shown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const main = document.querySelector("main article") ?? document.body;
  all("details", main).forEach((folded) => (folded.open = true));
  const found = [];
  const say = (check, element, what) => found.push([check, `${place(element)} ${what}`.trim()]);
  const place = (e) => {
    const name = [...(e.classList ?? [])].slice(0, 2).map((c) => `.${c}`).join("");
    const text = [...(e.innerText ?? "").trim().replace(/\s+/g, " ")].slice(0, 40).join(""); // by letters: half of one cannot be printed
    return `${e.localName}${e.id ? `#${e.id}` : name}${text ? ` "${text}"` : ""}`;
  };
  const outermost = (elements) => elements.filter((e) => !elements.some((other) => other !== e && other.contains(e)));
  const ancestors = (element) => {
    const up = [];
    for (let e = element; e; e = e.parentElement) up.push(e);
    return up;
  };
  const style = (element) => getComputedStyle(element);
  // Text for screen readers alone is cut to a pixel.
  const seen = (e) => shown(e) && e.getClientRects().length && e.getBoundingClientRect().width > 1;

  // --- overflow ------------------------------------------------------------------------------------------------------
  const page = document.scrollingElement;
  if (page.scrollWidth > width + 1) say("overflow", page, `is ${page.scrollWidth} px wide in a window of ${width}`);
  const scrolls = (e) => /auto|scroll/.test(style(e).overflowX);
  const edge = main.getBoundingClientRect().right + 1;
  const inBox = (e) => ancestors(e.parentElement).some((up) => main.contains(up) && up !== main && scrolls(up));
  const beyond = all(":not(mjx-assistive-mml, mjx-assistive-mml *)", main).filter((e) => seen(e) && e.getBoundingClientRect().right > edge && !inBox(e));
  for (const e of outermost(beyond)) say("overflow", e, `ends ${Math.ceil(e.getBoundingClientRect().right - edge)} px beyond the column`);
  const cut = (e) => !e.closest(".math") && style(e).overflowX === "hidden" && e.scrollWidth > e.clientWidth + 2 && e.clientWidth > 1;
  for (const e of all("*", main).filter((e) => seen(e) && cut(e))) say("overflow", e, "is cut at its right");

  // --- contrast ------------------------------------------------------------------------------------------------------
  const brush = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) {
      brush.clearRect(0, 0, 1, 1);
      brush.fillStyle = colour;
      brush.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  };
  const over = (top, under, fade = 1) => {
    const a = top[3] * fade;
    return [0, 1, 2].map((i) => top[i] * a + under[i] * (1 - a)).concat(1);
  };
  const ground = (element) => {
    const layers = [];
    for (const e of ancestors(element)) {
      const colour = rgba(style(e).backgroundColor);
      if (style(e).backgroundImage.includes("url(")) return null; // a picture: not judged
      layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const light = ([r, g, b]) => {
    const part = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const contrast = (one, two) => {
    const [low, high] = [light(one), light(two)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const written = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) if (walker.currentNode.data.trim()) written.add(walker.currentNode.parentElement);
  const texts = [...written].filter((e) => seen(e) && !e.closest("script, style, noscript, svg, :disabled, [aria-disabled=true]"));
  const pairs = new Map();
  for (const e of texts) {
    const under = ground(e);
    if (!under) continue;
    const fade = ancestors(e).reduce((product, up) => product * style(up).opacity, 1);
    const size = parseFloat(style(e).fontSize);
    const large = size >= 24 || (size >= 18.66 && style(e).fontWeight >= 700);
    const ink = over(rgba(style(e).color), under, fade);
    const ratio = contrast(ink, under);
    const key = `${ink.map(Math.round)} on ${under.map(Math.round)}`;
    if (ratio < (large ? 3 : 4.5) && !pairs.has(key)) pairs.set(key, [e, ratio, large]);
  }
  const hex = (key) => key.replace(/(\d+),(\d+),(\d+),1/g, (_, ...c) => "#" + c.slice(0, 3).map((v) => (+v).toString(16).padStart(2, "0")).join(""));
  for (const [key, [e, ratio, large]] of pairs) say("contrast", e, `${hex(key)} is ${ratio.toFixed(2)}, not ${large ? 3 : 4.5}`);
  for (const e of all("p a[href], li a[href]", main).filter(seen)) {
    const around = e.closest("p, li");
    if (around.innerText.trim() === e.innerText.trim() || style(e).textDecorationLine !== "none" || e.querySelector("img, svg")) continue;
    if (e.matches(".btn, .headerlink, .sd-stretched-link") || e.closest("nav")) continue;
    const ratio = contrast(rgba(style(e).color), rgba(style(around).color));
    if (ratio < 3) say("link by colour", e, `differs from its sentence by ${ratio.toFixed(2)} alone`);
  }

  // --- type ----------------------------------------------------------------------------------------------------------
  for (const e of texts.filter((e) => !e.closest("mjx-container") && parseFloat(style(e).fontSize) < 9)) {
    say("small type", e, `is ${parseFloat(style(e).fontSize).toFixed(1)} px`);
  }
  for (const e of all("svg text").filter(seen)) {
    const { a, b } = e.getScreenCTM();
    const size = parseFloat(style(e).fontSize) * Math.hypot(a, b);
    if (size < 9) say("small type", e, `"${e.textContent.trim()}" is ${size.toFixed(1)} px`);
  }
  const images = all("img").filter(seen).map((e) => ({ src: e.src, width: e.getBoundingClientRect().width, natural: e.naturalWidth }));
  for (const e of all("img").filter((e) => seen(e) && !e.naturalWidth)) say("links", e, `${e.getAttribute("src")} is not shown`);

  // --- names ---------------------------------------------------------------------------------------------------------
  const silent = (e) => e.closest("[aria-hidden=true], [role=presentation], [role=none]");
  for (const e of all("img").filter((e) => shown(e) && !silent(e))) {
    const alt = e.getAttribute("alt")?.trim();
    if (!alt || /\.(png|svg|jpe?g)$/.test(alt)) say("alt text", e, e.getAttribute("src").split("/").pop());
  }
  const said = (e) => {
    const by = (e.getAttribute("aria-labelledby") ?? "").split(/\s+/).map((id) => document.getElementById(id)?.innerText ?? "");
    const inside = all("img[alt], [aria-label], svg title", e).map((i) => i.alt ?? i.ariaLabel ?? i.textContent);
    return [e.ariaLabel, ...by, e.title, ...[...(e.labels ?? [])].map((l) => l.innerText), ...inside, e.matches("input, select") ? "" : e.innerText].join("").trim();
  };
  for (const e of all("a[href], button, input:not([type=hidden]), select, textarea, summary, iframe")) {
    if (shown(e) && !silent(e) && !said(e)) say("names", e, `${e.outerHTML.slice(0, 80)} has none`);
  }
  const refers = ["aria-labelledby", "aria-describedby", "aria-controls"];
  for (const attribute of refers) for (const e of all(`[${attribute}]`)) {
    for (const id of e.getAttribute(attribute).split(/\s+/)) if (!document.getElementById(id)) say("names", e, `${attribute} names no element: ${id}`);
  }

  // --- the document --------------------------------------------------------------------------------------------------
  if (!document.documentElement.lang) say("language", document.documentElement, "has none");
  if (!document.title.trim()) say("title", document.documentElement, "has none");
  if (all("main, [role=main]").filter((e) => !e.parentElement.closest("main, [role=main]")).length !== 1) say("landmarks", document.body, "has not one main part");
  const view = document.querySelector("meta[name=viewport]")?.content ?? "";
  if (!view || /user-scalable\s*=\s*(no|0)|maximum-scale\s*=\s*[01](\D|$)/.test(view)) say("zoom", document.head, `viewport "${view}"`);
  const headings = all("h1, h2, h3, h4, h5, h6", main).filter(shown);
  const levels = headings.map((e) => +e.localName[1]);
  if (levels.filter((l) => l === 1).length !== 1) say("headings", main, `has ${levels.filter((l) => l === 1).length} of the first level`);
  headings.forEach((e, i) => i && levels[i] > levels[i - 1] + 1 && say("headings", e, `follows one of level ${levels[i - 1]}`));
  for (const e of headings) if (!e.innerText.replace("#", "").trim()) say("headings", e, "is empty");
  const ids = all("[id]").map((e) => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) say("ids", document.getElementById(id), "is there twice");
  for (const e of all("[tabindex]")) if (e.tabIndex > 0) say("order", e, "has a place of its own in the order of the Tab key");
  for (const e of all("[aria-hidden=true] :is(a[href], button, input)")) if (shown(e) && e.tabIndex >= 0) say("order", e, "can be reached and is hidden from screen readers");
  for (const e of all("ul, ol", main)) if ([...e.children].some((c) => !c.matches("li, script, template"))) say("lists", e, "has an item that is none");

  // --- tables and text -----------------------------------------------------------------------------------------------
  for (const e of all("table", main)) {
    if (!e.querySelector("th")) say("table heads", e, "has none");
    const rows = all("tbody tr", e).map((row) => row.cells[0]?.innerText.trim());
    const blank = e.tHead && ![...e.tHead.rows].some((row) => row.cells[0]?.innerText.trim());
    if (e.matches(".dataframe") && blank && rows.length && rows.every((cell, i) => cell === `${i}`)) say("index column", e, "counts its rows");
  }
  for (const e of all(".cell_output, table", main)) {
    if (e.matches("table") && e.closest(".cell_output")) continue;
    const text = e.innerText;
    const raw = text.match(/dtype: ?\w+|Name: .*Length: \d+|\bat 0x[0-9a-f]{6,}|<Axes[:>]|array\(\[|Traceback \(most/);
    if (raw) say("raw output", e, raw[0]);
    if (e.matches(".claims") || e.querySelector(".claims")) continue; // as their records have them
    for (const number of new Set(text.match(/(?<![\w.])[-+−]?\d+\.\d+(?![\w.]|e[-+])/g) ?? [])) {
      const digits = number.replace(/^[-+−]?[0.]*/, "").replace(".", "").length;
      if (digits > 5 && /\.\d\d/.test(number)) { say("precision", e, number); break; }
    }
  }
  for (const e of all("mjx-merror", main)) say("maths", e, e.dataset.mjxError ?? "");
  for (const e of texts.filter((e) => main.contains(e) && !e.closest("code, pre, .sig, mjx-container, .cell_output"))) {
    const own = [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data).join(" ");
    const mark = own.match(/\\\(|\\\[|\]\(|\*\*|<!--|\{(ref|numref|doc|term|cite)\}/);
    if (mark) say("markup", e, `shows ${mark[0]}`);
  }
  if (main.innerText.trim().length < 200) say("empty", main, "has fewer than 200 letters");
  const links = [...new Set(all("a[href]").map((e) => e.href))];
  const contents = all("nav.bd-links a[href]").map((e) => e.href);
  return { found, images, links, contents };
})
