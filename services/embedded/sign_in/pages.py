"""The one page a person sees: who are you, and the password."""

from collections.abc import Mapping, Sequence
from html import escape

from services.embedded.sign_in.people import LocalPerson

STYLE = """body{margin:0;background:#f4f4f1;color:#1b1f23;font:16px/1.5 system-ui,sans-serif}
main{max-width:26rem;margin:12vh auto;padding:2rem;background:#fff;border:1px solid #ddd;border-radius:8px}
h1{font-size:1.3rem;margin:0 0 .3rem}p{margin:.3rem 0 1rem;color:#555}label{display:block;margin:.6rem 0 .2rem}
select,input,button{font:inherit;width:100%;padding:.5rem;box-sizing:border-box}
button{margin-top:1.2rem;background:#c8202f;border:0;border-radius:4px;color:#fff;cursor:pointer}
.wrong{color:#a00}.small{font-size:.85rem}code{background:#f1f1ee;padding:0 .2rem}
"""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in</title><link rel="stylesheet" href="/style.css"></head><body><main>
<h1>Sign in to {studio}</h1>
{body}
<p class="small">This is the local sign-in of an embedded stack. It stands in for the studio's own.</p>
</main></body></html>
"""


def login_page(
    studio: str, people: Sequence[LocalPerson], asked: Mapping[str, str], *, wrong: bool = False
) -> str:
    """`asked` is the authorization request, carried through the form."""
    if not people:
        body = (
            f"<p>Nobody is entered for this studio yet:</p><p><code>python -m services.embedded people add"
            f" --studio {escape(studio)} --name Ada --role approver</code></p>"
        )
        return _PAGE.format(studio=escape(studio), body=body)
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in asked.items()
    )
    options = "".join(
        f'<option value="{escape(each.subject)}">{escape(each.name)} · {escape(", ".join(each.roles))}</option>'
        for each in people
    )
    told = '<p class="wrong" role="alert">This isn\'t the password.</p>' if wrong else ""
    body = f"""{told}<form method="post" action="/authorize">{hidden}
<label for="subject">Person</label><select id="subject" name="subject">{options}</select>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="off" required autofocus>
<button>Sign in</button></form>
<p class="small">Passwords: <code>python -m services.embedded people list</code></p>"""
    return _PAGE.format(studio=escape(studio), body=body)


def refusal_page(text: str) -> str:
    """An authorization request that can't be trusted is told to the person, never sent back to its redirect URI."""
    return _PAGE.format(studio="Circletake", body=f'<p class="wrong" role="alert">{escape(text)}</p>')
