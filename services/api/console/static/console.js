// Starts Swagger UI on the document that the page names. Keys stay in the page's memory: they aren't stored. Needs
// person.js.
"use strict";

window.addEventListener("load", () => {
  const place = document.getElementById("console");
  const open = Boolean(document.getElementById("person")); // nobody signs in to the operator's console
  const person = open ? signedIn() : null;
  if (open) showPerson(person);
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
