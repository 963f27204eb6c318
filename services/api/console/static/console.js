// Starts Swagger UI on the document that the page names. Keys stay in the page's memory: nothing is stored.
"use strict";

window.addEventListener("load", () => {
  const place = document.getElementById("console");
  SwaggerUIBundle({
    url: place.dataset.document,
    dom_id: "#console",
    deepLinking: true,
    displayRequestDuration: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    filter: true,
    persistAuthorization: false,
    tryItOutEnabled: true,
    validatorUrl: null, // the public validator would be sent our address
    withCredentials: false,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
});
