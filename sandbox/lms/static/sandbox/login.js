// Logs in through the API, as the login MFE does. Without this script the form posts to the login page itself.
const form = document.getElementById("login-form");
const error = document.getElementById("login-error");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const data = new FormData(form);
  const response = await fetch(form.dataset.api, {
    method: "POST",
    credentials: "same-origin",
    headers: { "X-CSRFToken": data.get("csrfmiddlewaretoken") },
    body: new URLSearchParams({
      email_or_username: data.get("email_or_username"),
      password: data.get("password"),
    }),
  });
  if (response.ok) {
    window.location.assign(data.get("next"));
    return;
  }
  const refusal = await response.json().catch(() => ({}));
  error.textContent = refusal.value || "Signing in failed. Please reload the page.";
  error.hidden = false;
});
