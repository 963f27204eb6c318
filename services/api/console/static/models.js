// Fetches the catalogue's tables with the token of who signed in, or with a key that is kept nowhere.
"use strict";

const tables = document.getElementById("tables");
const told = document.getElementById("told");
const form = document.getElementById("key-form");

async function show(token) {
  told.textContent = "Reading the catalogue …";
  const answer = await fetch("/console/models/tables", { headers: { Authorization: `Bearer ${token}` } });
  if (!answer.ok) {
    const problem = await answer.json();
    told.textContent = problem.detail || "The catalogue can't be read now: try again.";
    form.hidden = false;
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  tables.replaceChildren(...page.body.childNodes);
  told.textContent = "";
  form.hidden = true;
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

const trouble = () => {
  told.textContent = "The gateway can't be reached from here: try again.";
};

form.addEventListener("submit", (event) => {
  event.preventDefault(); // the page's policy lets no form be sent anywhere
  show(document.getElementById("key").value.trim()).catch(trouble);
});

const person = signedIn();
showPerson(person);
form.hidden = Boolean(person);
if (person) show(person.token).catch(trouble);
