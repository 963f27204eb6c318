"""The console's pages and the files they are made of. Everything is served from here: nothing is fetched elsewhere."""

from html import escape
from pathlib import Path

from circletake import __version__

STATIC = Path(__file__).parent / "static"

# what may be fetched, by its address under /console/static/
FILES = {
    "swagger-ui-bundle.js": ("swagger-ui/swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": ("swagger-ui/swagger-ui.css", "text/css"),
    "favicon.png": ("swagger-ui/favicon-32x32.png", "image/png"),
    "console.js": ("console.js", "text/javascript"),
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


def console_page(*, title: str, document: str, other_title: str, other: str) -> str:
    """Return the page that opens one OpenAPI document in Swagger UI."""
    script = '<script src="/console/static/{}?v=' + __version__ + '"></script>'
    return _PAGE.format(
        title=escape(f"{title} · Circletake"),
        styles=_sheet("swagger-ui.css") + _sheet("pages.css"),
        bar=escape(title),
        links=f'<a href="{escape(other)}">{escape(other_title)}</a>'
        f'<a href="{escape(document)}">OpenAPI document</a>',
        body=f'<div id="console" data-document="{escape(document)}"></div>'
        + script.format("swagger-ui-bundle.js")
        + script.format("console.js"),
    )


_INDEX = """<main class="page">
<h1>The machine offers takes; people circle them.</h1>
<p class="lead">Circletake runs a production's generation and consistency requests on foundation models, inside the
studio's own bucket, and hands back takes that can be reviewed, proved and defended.</p>
<ul class="doors">
<li><h2><a href="/console">Studio console</a></h2>
<p>Productions, media, generations, takes and webhooks. Authorise with an API key, <code>ct_live_…</code>.</p></li>
<li><h2><a href="/admin/console">Operator console</a></h2>
<p>Tenants, keys, queue, dead letters, models. Authorise with the operator's key.</p></li>
</ul>
<p>OpenAPI documents: <a href="/v1/openapi.json">studio</a>, <a href="/admin/v1/openapi.json">operator</a>.
State: <a href="/healthz">healthz</a>, <a href="/readyz">readyz</a>.</p>
<p class="small">Circletake {version}. The console is Swagger UI, Apache-2.0, served from here: it loads nothing from
elsewhere and keeps no key.</p>
</main>"""


def index_page() -> str:
    return _PAGE.format(
        title="Circletake",
        styles=_sheet("pages.css"),
        bar="",
        links='<a href="/console">Studio console</a><a href="/admin/console">Operator console</a>',
        body=_INDEX.format(version=escape(__version__)),
    )
