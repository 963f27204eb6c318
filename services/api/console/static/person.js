// Who signed in, in this tab, until the token ends; shown in the bar of every page that knows people.
"use strict";

function signedIn() {
  const person = JSON.parse(sessionStorage.getItem("circletake.person") || "null");
  if (person && person.until > Date.now()) return person;
  sessionStorage.removeItem("circletake.person");
  return null;
}

function showPerson(person) {
  const place = document.getElementById("person");
  const out = document.getElementById("sign-out");
  place.hidden = out.hidden = !person;
  document.getElementById("sign-in").hidden = Boolean(person);
  if (!person) return;
  const roles = person.roles.map((role) => role.replaceAll("_", " ")).join(", ") || "no role";
  const end = new Date(person.until).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  place.textContent = `${person.name || "Signed in"} · ${roles} · until ${end}`;
  out.addEventListener("click", () => {
    sessionStorage.removeItem("circletake.person");
    location.reload(); // the token is in the page's memory, too
  });
}
