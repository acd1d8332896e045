// Runs where a panel is shown: tells the kernel whether the page is dark, and names parts for screen readers.
(start => {
  const wait = tries => start.closest(".e2kd-panel") ? run(start.closest(".e2kd-panel")) : tries && setTimeout(wait, 50, tries - 1);
  wait(200);

  function run(panel) {
    const all = query => panel.querySelectorAll(query);
    // "light", or the colour of a dark page.
    function ground() {
      for (let node = panel.isConnected ? panel : document.body; node; node = node.parentElement) {
        const [red, green, blue, alpha = 1] = (getComputedStyle(node).backgroundColor.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
        if (!alpha) continue;
        if (0.3 * red + 0.6 * green + 0.1 * blue > 100) return "light";
        return "#" + [red, green, blue].map(one => Math.round(one).toString(16).padStart(2, "0")).join("");
      }
      return "light";
    }
    function tell() {
      const field = panel.querySelector(".e2kd-theme input"), theme = ground();
      if (field.value === theme) return;
      field.value = theme;
      field.dispatchEvent(new Event("change", { bubbles: true }));
    }
    function name() {
      panel.setAttribute("role", "group");
      panel.setAttribute("aria-label", start.dataset.name);
      for (const text of all(".e2kd-alt [data-picture]"))
        for (const picture of all(`img.${text.dataset.picture}`)) picture.alt = text.textContent;
      for (const slider of all(".widget-slider")) {
        const label = slider.querySelector(".widget-label")?.textContent ?? "";
        const handles = slider.querySelectorAll(".noUi-handle");
        handles.forEach((handle, end) =>
          handle.setAttribute("aria-label", handles.length > 1 ? `${label}, ${end ? "to" : "from"}` : label));
        const number = slider.querySelector(".widget-readout");
        // What is chosen, in words: a handle itself knows but the place of a value among the others.
        if (handles.length === 1 && number && handles[0].ariaValueText !== number.textContent)
          handles[0].ariaValueText = number.textContent;
        if (number?.contentEditable === "true") { number.setAttribute("role", "textbox"); number.setAttribute("aria-label", `${label}, number`); }
      }
      // Fields without words beside them, and cells of a map with but a number in them, are named by their tooltip.
      for (const one of all(":is(input, select, textarea, .e2kd-cells button)[title]")) one.ariaLabel = one.title;
      for (const group of all(".widget-toggle-buttons")) {
        group.setAttribute("role", "group");
        group.setAttribute("aria-label", group.querySelector(".widget-label")?.textContent ?? "");
      }
      for (const button of all("button.widget-toggle-button, .widget-toggle-buttons button"))
        button.setAttribute("aria-pressed", button.classList.contains("mod-active"));
      for (const icon of all("i.fa")) icon.setAttribute("aria-hidden", true);
    }
    let due = false;
    const soon = () => { if (!due) { due = true; setTimeout(() => { due = false; name(); }, 50); } };
    new MutationObserver(soon).observe(panel, { subtree: true, childList: true, attributes: true, attributeFilter: ["class", "title", "aria-valuetext"] });
    const themed = { attributes: true, attributeFilter: ["class", "style", "data-jp-theme-light", "data-jp-theme-name", "data-vscode-theme-kind"] };
    // The theme's style sheet is loaded after the page is told of it.
    for (const node of [document.body, document.documentElement])
      new MutationObserver(() => { tell(); setTimeout(tell, 500); }).observe(node, themed);
    tell();
    name();
  }
})(this)
