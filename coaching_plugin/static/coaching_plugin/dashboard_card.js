// Puts the coaching card at the top of the dashboard's side column, and dismisses it without leaving the page.
// It may run twice: a theme that prints the card may print this script too.
(() => {
  "use strict";

  // After so many milliseconds without an answer, the learner is told.
  const PATIENCE = 10000;

  const place = () => {
    const template = document.getElementById("coaching-card-template");
    const column = document.querySelector(".side-container");
    // A theme may have printed the card itself.
    if (template && column && !document.getElementById("coaching-card")) {
      column.prepend(document.importNode(template.content, true));
    }
  };

  const send = async (form) => {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), PATIENCE);
    try {
      const response = await fetch(form.dataset.apiUrl, {
        method: "PATCH",
        headers: { "Content-Type": "application/json", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value },
        body: JSON.stringify({ dismissed: true }),
        // Sent even where the learner goes on to another page meanwhile.
        keepalive: true,
        signal: abort.signal,
      });
      return response.ok && (await response.json()).show === false;
    } catch {
      return false;
    } finally {
      clearTimeout(timer);
    }
  };

  const dismiss = async (card, form) => {
    const button = form.querySelector("button");
    const status = card.querySelector(".coaching-card-status");
    // A second click, or this script a second time.
    if (button.getAttribute("aria-disabled") === "true") {
      return;
    }
    // Not "disabled", which would lose the focus.
    button.setAttribute("aria-disabled", "true");
    card.classList.remove("coaching-card-failed");
    status.textContent = status.dataset.saving;
    if (await send(form)) {
      card.querySelector(".coaching-card-question").remove();
      card.removeAttribute("aria-labelledby");
      status.textContent = status.dataset.saved;
      // The button that had the focus is gone.
      status.tabIndex = -1;
      status.focus();
    } else {
      card.classList.add("coaching-card-failed");
      status.textContent = status.dataset.failed;
      button.removeAttribute("aria-disabled");
    }
  };

  const listen = () => {
    const card = document.getElementById("coaching-card");
    const form = card && card.querySelector("form");
    if (form) {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        dismiss(card, form);
      });
    }
  };

  place();
  listen();
})();
