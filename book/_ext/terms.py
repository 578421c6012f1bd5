"""A link to a term of the glossary shows the first sentence of its definition when the mouse rests on it."""

from re import split

from docutils import nodes
from sphinx import addnodes


def first_sentence(text: str) -> str:
    return split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]


def definitions(doctree: nodes.document) -> dict[str, str]:
    """First sentence of the definition by the id of its term."""
    found = {}
    for glossary in doctree.findall(addnodes.glossary):
        for item in glossary.findall(nodes.definition_list_item):
            said = first_sentence(next(item.findall(nodes.definition)).astext())
            found |= {name: said for term in item.findall(nodes.term) for name in term["ids"]}
    return found


def collect(app, doctree: nodes.document) -> None:
    app.env.definitions = getattr(app.env, "definitions", {}) | definitions(doctree)


def add_titles(app, doctree: nodes.document, docname: str) -> None:
    for link in doctree.findall(nodes.reference):
        name = link.get("refid") or link.get("refuri", "").partition("#")[2]
        if name in app.env.definitions:
            link["reftitle"] = app.env.definitions[name]
            link["classes"].append("term")


def setup(app):
    app.connect("doctree-read", collect)
    app.connect("doctree-resolved", add_titles)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
