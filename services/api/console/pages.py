"""The console's pages and the files they are made of. Everything is served from here: nothing is fetched elsewhere."""

from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from circletake import __version__
from services.api.sign_in import SignInStart

STATIC = Path(__file__).parent / "static"

# what may be fetched, by its address under /console/static/
FILES = {
    "swagger-ui-bundle.js": ("swagger-ui/swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": ("swagger-ui/swagger-ui.css", "text/css"),
    "favicon.png": ("swagger-ui/favicon-32x32.png", "image/png"),
    "console.js": ("console.js", "text/javascript"),
    "models.js": ("models.js", "text/javascript"),
    "person.js": ("person.js", "text/javascript"),
    "sign-in.js": ("sign-in.js", "text/javascript"),
    "pages.css": ("pages.css", "text/css"),
}

# No inline script or style, and nothing from elsewhere. Swagger UI draws its icons as data: pictures.
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


def security_for(start: SignInStart) -> dict[str, str]:
    """The same, and the browser may redeem a code at this studio's provider."""
    place = urlsplit(start.places.token_endpoint)
    policy = SECURITY["Content-Security-Policy"].replace(
        "connect-src 'self'", f"connect-src 'self' {place.scheme}://{place.netloc}"
    )
    return {**SECURITY, "Content-Security-Policy": policy}


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" type="image/png" href="/console/static/favicon.png">
{styles}
</head>
<body>
<header class="bar"><a class="name" href="/"><span class="circle"></span>Circletake</a>
<span>{bar}</span><span class="grow"></span>{links}</header>
{body}
</body>
</html>
"""


def _sheet(name: str) -> str:
    return f'<link rel="stylesheet" href="/console/static/{name}?v={__version__}">'


def _script(name: str) -> str:
    return f'<script src="/console/static/{name}?v={__version__}"></script>'


# filled in by the script, which knows whether somebody is signed in
_PERSON = """<span id="person" hidden></span><button id="sign-out" type="button" hidden>Sign out</button>
<a id="sign-in" href="/console/sign-in">Sign in</a>"""


def console_page(*, title: str, document: str, other_title: str, other: str, people: bool) -> str:
    """Return the page that opens one OpenAPI document in Swagger UI. `people`: who may sign in to it."""
    return _PAGE.format(
        title=escape(f"{title} · Circletake"),
        styles=_sheet("swagger-ui.css") + _sheet("pages.css"),
        bar=escape(title),
        links=(_PERSON + '<a href="/console/models">Models</a>' if people else "")
        + f'<a href="{escape(other)}">{escape(other_title)}</a>'
        + f'<a href="{escape(document)}">OpenAPI document</a>',
        body=f'<div id="console" data-document="{escape(document)}"></div>'
        + _script("swagger-ui-bundle.js")
        + _script("person.js")
        + _script("console.js"),
    )


_MODELS = """<main class="page broad" id="models-page">
<h1>Models</h1>
<p id="told" role="status"></p>
<form id="key-form" class="key" hidden><label for="key">Prices and terms are for studios: <a href="/console/sign-in">sign in</a>,
or read them with an API key. It is kept nowhere.</label>
<input id="key" type="password" name="key" autocomplete="off" spellcheck="false" maxlength="4000" required>
<button type="submit">Show the catalogue</button></form>
<div id="tables"></div>
<noscript><p>This page needs JavaScript, to send your sign-in with the request for the tables.</p></noscript>
</main>"""


def models_page() -> str:
    """Return the page of the catalogue, empty: its script asks for the tables as the person who signed in."""
    return _PAGE.format(
        title="Models · Circletake",
        styles=_sheet("pages.css"),
        bar="Models",
        links=_PERSON + '<a href="/console">Studio console</a>',
        body=_MODELS + _script("person.js") + _script("models.js"),
    )


_SIGN_IN = """<main class="page narrow" id="sign-in-page"{data}>
<h1>Sign in</h1>
<p class="lead">Circling, approving, releasing and clearing are acts of people. Your own studio says who you are.</p>
<form id="studio-form"><label for="studio">Your studio</label>
<input id="studio" name="studio" autocomplete="organization" spellcheck="false" maxlength="40" required
value="{studio}"><button type="submit">Go to your studio's sign-in</button></form>
<p id="told" role="status">{told}</p>
<noscript><p>This page needs JavaScript: it keeps your sign-in in this tab and nowhere else.</p></noscript>
</main>"""


def sign_in_page(*, studio: str = "", told: str = "", start: SignInStart | None = None) -> str:
    """Return the page that asks for the studio and, once it is known where, takes a person through its sign-in."""
    data = {}
    if start is not None:
        data = {
            "studio": start.studio,
            "issuer": start.issuer,
            "authorize": start.places.authorization_endpoint,
            "token": start.places.token_endpoint,
            "client": start.client_id,
            "scope": start.scope,
        }
    attributes = "".join(f' data-{name}="{escape(value)}"' for name, value in data.items())
    return _PAGE.format(
        title="Sign in · Circletake",
        styles=_sheet("pages.css"),
        bar="Studio API",
        links='<a href="/console">Studio console</a>',
        body=_SIGN_IN.format(data=attributes, studio=escape(studio), told=escape(told))
        + _script("sign-in.js"),
    )


_INDEX = """<main class="page">
<h1>The machine offers takes; people circle them.</h1>
<p class="lead">Circletake runs a production's generation and consistency requests on foundation models, inside the
studio's own bucket, and hands back takes that can be reviewed, proved and defended.</p>
<ul class="doors">
<li><h2><a href="/console">Studio console</a></h2>
<p>Productions, media, generations, takes and webhooks. Authorise with an API key, <code>ct_live_…</code>, or
<a href="/console/sign-in">sign in</a>: people circle, keys don't. <a href="/console/models">Models</a>: who serves
what, at what price, until when.</p></li>
<li><h2><a href="/admin/console">Operator console</a></h2>
<p>Tenants, keys, queue, dead letters, models. Authorise with the operator's key.</p></li>
</ul>
<p>OpenAPI documents: <a href="/v1/openapi.json">studio</a>, <a href="/admin/v1/openapi.json">operator</a>.
State: <a href="/healthz">healthz</a>, <a href="/readyz">readyz</a>.</p>
<p class="small">Circletake {version}. The console is Swagger UI, Apache-2.0, served from here: it loads nothing from
elsewhere and keeps no key. Who signs in stays signed in, in that tab, until the token ends.</p>
</main>"""


def index_page() -> str:
    return _PAGE.format(
        title="Circletake",
        styles=_sheet("pages.css"),
        bar="",
        links='<a href="/console">Studio console</a><a href="/admin/console">Operator console</a>',
        body=_INDEX.format(version=escape(__version__)),
    )
