"""What each entry of a collection has to say of itself."""

from datetime import date

from pydantic import BaseModel

from hybridsite import Collection


class Letter(BaseModel):
    title: str
    date: date
    summary: str
    picture: str
    tags: list[str]


journal = Collection("content/journal", schema=Letter)
