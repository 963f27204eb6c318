// Starts Swagger UI on the document that the page names. Keys stay in the page's memory: they aren't stored. Who signed
// in stays so in this tab, until the token ends.
"use strict";

function signedIn() {
  const person = JSON.parse(sessionStorage.getItem("circletake.person") || "null");
  if (person && person.until > Date.now()) return person;
  sessionStorage.removeItem("circletake.person");
  return null;
}

function show(person) {
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
    location.reload(); // the token is in Swagger UI's memory, too
  });
}

window.addEventListener("load", () => {
  const place = document.getElementById("console");
  const open = Boolean(document.getElementById("person")); // nobody signs in to the operator's console
  const person = open ? signedIn() : null;
  if (open) show(person);
  const ui = SwaggerUIBundle({
    url: place.dataset.document,
    dom_id: "#console",
    deepLinking: true,
    displayRequestDuration: true,
    docExpansion: "none", // there are many operations: drawing them all at once holds the page for long
    defaultModelsExpandDepth: 0,
    filter: true,
    persistAuthorization: false,
    tryItOutEnabled: true,
    validatorUrl: null, // the public validator would be sent our address
    withCredentials: false,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    onComplete: () => {
      if (person) ui.preauthorizeApiKey("HTTPBearer", person.token);
    },
  });
});
