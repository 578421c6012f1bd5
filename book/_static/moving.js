// Figures that a reader moves: each .moving takes the place of the picture in the figure that it names.
document.addEventListener("DOMContentLoaded", () => {
  for (const moving of document.querySelectorAll(".moving")) {
    const figure = document.getElementById(moving.dataset.figure);
    if (!figure) continue;
    (moving.matches(".curve") ? draw : slide)(moving);
    figure.prepend(moving);
    figure.classList.add("moves");
    moving.hidden = false;
  }
});

// The range says which of the images is shown.
function slide(moving) {
  const images = [...moving.querySelectorAll("img")];
  const range = moving.querySelector("input");
  const show = () => {
    images.forEach((image, place) => (image.hidden = place !== Number(range.value)));
    moving.querySelector("output").value = range.ariaValueText = images[range.value].dataset.label;
  };
  range.addEventListener("input", show);
  show();
}

// Points over the entries, each a slider of its own: dragged, or moved by the arrow keys. Units of the drawing: pixels.
function draw(moving) {
  const mu = JSON.parse(moving.dataset.mu);
  const [left, top, width, height, bottom] = [56, 16, 400, 200, 275];
  const x = (entry) => left + (width * (entry + 0.5)) / mu.length;
  const y = (value) => top + height * (1 - value);
  const add = (tag, attributes, text = "") => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.textContent = text;
    return made;
  };
  const svg = add("svg", { viewBox: `0 0 470 ${bottom}`, role: "group", "aria-label": "Mean cosine over the entries, to be dragged" });
  for (const value of [0, 0.5, 1]) {
    svg.append(add("line", { x1: left, x2: left + width, y1: y(value), y2: y(value), class: "rule" }));
    svg.append(add("text", { x: left - 8, y: y(value) + 5, "text-anchor": "end" }, value));
  }
  mu.forEach((_, entry) => svg.append(add("text", { x: x(entry), y: 238, "text-anchor": "middle" }, entry)));
  svg.append(add("text", { x: left + width / 2, y: 262, "text-anchor": "middle" }, "entry of the residual stream"));
  svg.append(add("text", { transform: `translate(16 ${top + height / 2}) rotate(-90)`, "text-anchor": "middle" }, "mean cosine μ"));
  const line = svg.appendChild(add("polyline", {}));
  const points = mu.map((_, entry) =>
    svg.appendChild(add("circle", { r: 9, role: "slider", "aria-orientation": "vertical", tabindex: 0, "aria-label": `μ at entry ${entry}`, "aria-valuemin": 0, "aria-valuemax": 1 })));
  const show = () => {
    line.setAttribute("points", mu.map((value, entry) => `${x(entry)},${y(value)}`).join(" "));
    points.forEach((point, entry) => {
      point.setAttribute("cx", x(entry));
      point.setAttribute("cy", y(mu[entry]));
      point.setAttribute("aria-valuenow", mu[entry]);
    });
    const rho = spearman(mu);
    const late = mu.slice(Math.floor((mu.length - 1) / 2) + 1);
    const mean = late.reduce((sum, value) => sum + value, 0) / late.length;
    moving.querySelector("output").value = `ρ ${Number.isNaN(rho) ? "none" : rho.toFixed(3)}, late-half mean of μ ${mean.toFixed(3)}`;
  };
  const move = (entry, value) => {
    mu[entry] = Math.round(100 * Math.min(1, Math.max(0, value))) / 100;
    show();
  };
  points.forEach((point, entry) => {
    point.addEventListener("pointerdown", (event) => point.setPointerCapture(event.pointerId));
    point.addEventListener("pointermove", (event) => {
      if (!point.hasPointerCapture(event.pointerId)) return;
      const box = svg.getBoundingClientRect();
      move(entry, 1 - ((event.clientY - box.top) * (bottom / box.height) - top) / height);
    });
    point.addEventListener("keydown", (event) => {
      const step = { ArrowUp: 0.01, ArrowRight: 0.01, PageUp: 0.1, ArrowDown: -0.01, ArrowLeft: -0.01, PageDown: -0.1, Home: -1, End: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      move(entry, mu[entry] + step);
    });
  });
  moving.prepend(svg);
  show();
}

// The correlation of the ranks of `mu` with its index; equal values have the mean of their ranks. NaN where all are equal.
function spearman(mu) {
  const middle = (mu.length - 1) / 2;
  const ranks = mu.map((value) => mu.filter((other) => other < value).length + (mu.filter((other) => other === value).length - 1) / 2 - middle);
  const sum = (terms) => terms.reduce((total, term) => total + term, 0);
  const together = sum(ranks.map((rank, entry) => rank * (entry - middle)));
  return together / Math.sqrt(sum(ranks.map((rank) => rank * rank)) * sum(mu.map((_, entry) => (entry - middle) ** 2)));
}
