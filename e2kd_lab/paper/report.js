// Gallery and curves of a report: DATA.sets holds a part for each experiment and family of networks.
const find = (part, name) => part.querySelector(`[data-is=${name}]`);

DATA.sets.forEach((set, number) => {
  const part = document.getElementById(`set-${number}`);
  const controls = Object.fromEntries(
    ["method", "lam", "tau", "seed", "beside", "group", "relation", "order"].map(name => [name, find(part, name)]));

  const values = (name, runs) => [...new Set(runs.map(run => run[name]))].sort((a, b) => a - b);
  const ofMethod = () => set.runs.filter(run => run.method === controls.method.value);
  // Sliders have a step for each value that was trained.
  function offer(name, runs) {
    const slider = controls[name], known = values(name, runs), before = slider.known?.[slider.value];
    slider.known = known;
    slider.max = known.length - 1;
    slider.value = Math.max(0, known.indexOf(before));
    slider.closest("label").hidden = known.length < 2;
    find(part, `${name}-shown`).value = known[slider.value];
  }
  const chosenOf = name => controls[name].known[controls[name].value];

  function chosen() {
    let runs = ofMethod();
    for (const name of ["lam", "tau", "seed"]) {
      offer(name, runs);
      runs = runs.filter(run => run[name] === chosenOf(name));
    }
    return runs[0];
  }

  function draw() {
    const run = chosen();
    find(part, "run").textContent = run.title;
    part.querySelector("picture source").srcset = run.curves.dark;
    part.querySelector("picture img").src = run.curves.light;
    const beside = set.runs[controls.beside.value];
    let examples = set.examples.map((example, place) => ({ ...example, place, said: run.said[place], other: beside?.said[place] }));
    if (controls.group.value !== "all") examples = examples.filter(one => one.group === controls.group.value);
    const keep = {
      all: () => true,
      "agrees with teacher": one => one.said.prediction === one.teacher.prediction,
      "disagrees with teacher": one => one.said.prediction !== one.teacher.prediction,
      correct: one => one.said.correct,
      incorrect: one => !one.said.correct,
    }[controls.relation.value];
    examples = examples.filter(keep);
    if (controls.order.value === "lowest cosine first") examples.sort((a, b) => a.said.cosine - b.said.cosine);
    if (controls.order.value === "highest cosine first") examples.sort((a, b) => b.said.cosine - a.said.cosine);
    const gallery = find(part, "gallery");
    gallery.replaceChildren(...examples.map(one => card(one, run, beside)));
    find(part, "count").textContent = `${examples.length} of ${set.examples.length} images.`;
  }

  function card(one, run, beside) {
    const box = document.createElement("div");
    box.className = "example";
    const title = document.createElement("h3");
    title.textContent = one.group;
    box.append(title, picture(one.image, "Image", ""), picture(one.teacher.map, "Teacher", verdict(one.teacher)),
               student(one.said, run));
    if (beside) box.append(student(one.other, beside));
    return box;
  }

  const student = (said, run) => picture(said.map, run.name, `${verdict(said)}<br>cosine ${said.cosine.toFixed(2)}`);

  const escaped = text => { const node = document.createElement("i"); node.textContent = text; return node.innerHTML; };
  function verdict(said) {
    const sign = said.correct ? "✓" : "✗", kind = said.correct ? "right" : "wrong";
    return `<span class="${kind}">${sign} ${escaped(said.prediction)}</span>`;
  }

  function picture(address, name, below) {
    const figure = document.createElement("figure"), image = document.createElement("img");
    image.src = address;
    image.alt = name;
    const words = document.createElement("figcaption");
    words.innerHTML = `${escaped(name)}<br>${below}`;
    figure.append(image, words);
    return figure;
  }

  for (const control of Object.values(controls)) control.addEventListener("input", draw);
  draw();
});
