"""What forms ask for by name: a question to the shop, which tells beside each field what is wrong with it."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, StringConstraints

from hybridsite import ActionError, action


def _given(text: str) -> str:
    if not text:
        raise ValueError("Please fill this in.")
    return text


Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=80), AfterValidator(_given)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000), AfterValidator(_given)]


class Question(BaseModel):
    """A question, perhaps about one of the inks."""

    name: Line
    ink: str | None = None
    text: Text


@action
def ask_the_shop(context: Any, form: Question) -> dict[str, Any]:
    products = context.data["products"]
    if form.ink is not None and form.ink not in products:
        raise ActionError("invalid", "We don’t make that ink.", fields={"ink": "Please choose another one."})
    return {"name": form.name, "ink": products[form.ink]["name"] if form.ink else None}
