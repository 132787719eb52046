
"use strict";
(function () {
  var changes = document.querySelectorAll("#changes > .change");
  var field = document.getElementById("filter");
  var hits = document.getElementById("hits");
  function sift() {
    var wanted = field.value.trim().toLowerCase(), count = 0;
    changes.forEach(function (change) {
      var found = !wanted || change.textContent.toLowerCase().indexOf(wanted) >= 0;
      change.hidden = !found;
      if (found) { count += 1; }
    });
    hits.textContent = wanted ? hits.dataset.text.replace("#", String(count)) : "";
  }
  if (field && changes.length > 10) {
    var waiting;
    field.closest(".filter").hidden = false;
    field.addEventListener("input", function () { clearTimeout(waiting); waiting = setTimeout(sift, 200); });
  }
  document.querySelectorAll("button[data-copy]").forEach(function (button) {
    if (!navigator.clipboard) { return; }
    button.hidden = false;
    button.addEventListener("click", function () {
      navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent).then(function () {
        button.textContent = button.dataset.done;
      });
    });
  });
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (item) { item.open = true; });
  });
})();
