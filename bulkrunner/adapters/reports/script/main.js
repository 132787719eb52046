// Language, copying, printing, and the start of the list.

function speak(lang) {
  page.lang = lang;
  document.documentElement.lang = lang;
  document.body.dataset.lang = lang;
  if (list.grid) list.relabel();
}

for (const radio of document.querySelectorAll("input[name=lang]")) {
  radio.addEventListener("change", () => { if (radio.checked) speak(radio.value); });
  if (radio.checked) speak(radio.value);
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  if (navigator.clipboard) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = button.dataset.done;
    });
  }
}

// A link in the page that shows in the list what it speaks of.
for (const name of ["pattern", "reason"]) {
  for (const link of document.querySelectorAll(`a[data-${name}]`)) {
    link.addEventListener("click", () => {
      list.wanted = { ...NOTHING_WANTED, [name]: Number(link.dataset[name]) };
      list.controls();
      list.update();
    });
  }
}

for (const link of document.querySelectorAll("a[data-change]")) {
  link.addEventListener("click", (event) => { event.preventDefault(); list.jump(link.dataset.change); });
}

window.addEventListener("beforeprint", () => {
  if (list.grid) list.print();
});

async function start() {
  if (!tables.total) return;
  list.build();
  list.controls();
  list.header();
  list.grid.setAttribute("aria-label", say("changes_title"));
  let begun = false, waiting = 0;
  await loadHeads(() => {
    if (!begun) {
      begun = true;
      list.sift();
      list.begin();
      list.update();
    } else if (store.done || performance.now() - waiting > 300) {
      waiting = performance.now();
      list.update({ keep: true });
    } else list.tell();
  });
  document.body.dataset.ready = "yes";
}

tables.id = new RegExp(tables.id);
start();
