// Where a password link leads. The token stands behind the #, so no server and no log ever sees it.

const form = document.getElementById("choose");
const message = document.getElementById("message");
const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

async function choose(password) {
  const answer = await fetch("/api/v1/auth/password-reset/confirm", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token, password }),
  });
  if (answer.ok) return;
  const problem = await answer.json().catch(() => ({}));
  const wrong = (problem.errors || []).map((one) => `${one.field}: ${one.message}`).join("; ");
  throw new Error(wrong || problem.detail || `The server answered ${answer.status}.`);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await choose(document.getElementById("password").value);
    const link = document.createElement("a");
    link.href = "/";
    link.textContent = "The password is set. Log in.";
    form.replaceChildren(link);
  } catch (error) {
    message.textContent = error instanceof TypeError ? "The server does not answer." : error.message;
  }
});

if (!token) message.textContent = "This link is not whole. Open it once more, or ask for a new one.";
