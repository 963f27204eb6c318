// Signs a person in with their studio's own provider: authorization code with PKCE (RFC 7636), all of it in this tab.
"use strict";

const page = document.getElementById("sign-in-page");
const told = document.getElementById("told");
const here = `${location.origin}/console/sign-in`;
const asked = new URLSearchParams(location.search);

function say(words) {
  told.textContent = words;
}

function encoded(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function random() {
  return encoded(crypto.getRandomValues(new Uint8Array(32)));
}

async function begin() {
  const kept = { state: `${random()}.${page.dataset.studio}`, verifier: random() };
  sessionStorage.setItem("circletake.sign-in", JSON.stringify(kept));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(kept.verifier));
  const place = new URL(page.dataset.authorize);
  const wanted = {
    response_type: "code",
    client_id: page.dataset.client,
    redirect_uri: here,
    scope: page.dataset.scope,
    state: kept.state,
    code_challenge: encoded(new Uint8Array(digest)),
    code_challenge_method: "S256",
  };
  Object.entries(wanted).forEach(([name, value]) => place.searchParams.set(name, value));
  location.replace(place);
}

async function finish() {
  const kept = JSON.parse(sessionStorage.getItem("circletake.sign-in") || "null");
  sessionStorage.removeItem("circletake.sign-in"); // a code is for one use, and so is this
  history.replaceState(null, "", `/console/sign-in?studio=${encodeURIComponent(page.dataset.studio)}`);
  if (!kept || kept.state !== asked.get("state")) {
    return say("This sign-in wasn't begun in this tab: begin again.");
  }
  if (asked.has("iss") && asked.get("iss") !== page.dataset.issuer) {
    return say("This answer is another provider's: begin again.");
  }
  if (!asked.get("code")) return say("Your studio's provider refused the sign-in.");
  say("Signing in …");
  const answer = await fetch(page.dataset.token, {
    method: "POST",
    credentials: "omit",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      code: asked.get("code"),
      redirect_uri: here,
      client_id: page.dataset.client,
      code_verifier: kept.verifier,
    }),
  });
  if (!answer.ok) return say("The provider didn't take the code: begin again.");
  const tokens = await answer.json();
  // some providers' access tokens are opaque; then their signed ID token says who it is
  const signed = (tokens.access_token || "").split(".").length === 3;
  return enter(signed ? tokens.access_token : tokens.id_token || "");
}

async function enter(token) {
  const answer = await fetch("/v1/me", { headers: { Authorization: `Bearer ${token}` } });
  const me = await answer.json();
  if (!answer.ok) return say(`Circletake doesn't take this sign-in: ${me.detail}`);
  const claims = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  const person = { token, name: me.name, roles: me.roles, until: claims.exp * 1000 };
  sessionStorage.setItem("circletake.person", JSON.stringify(person));
  return location.replace("/console");
}

const trouble = () => say("The provider can't be reached from here: try again.");

document.getElementById("studio-form").addEventListener("submit", (event) => {
  event.preventDefault(); // the page's policy lets no form be sent anywhere
  const studio = document.getElementById("studio").value.trim().toLowerCase();
  if (page.dataset.studio === studio) begin().catch(trouble);
  else location.assign(`/console/sign-in?studio=${encodeURIComponent(studio)}&go=1`);
});

if (page.dataset.studio && asked.has("state")) finish().catch(trouble);
else if (page.dataset.studio && asked.has("go")) begin().catch(trouble);
