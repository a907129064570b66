"""What each post has to say of itself, in its front matter. One that doesn't is an error with its file and line."""

from datetime import date

from hybridsite import Collection
from pydantic import BaseModel


class Post(BaseModel):
    title: str
    date: date
    summary: str
    tags: list[str] = []


blog = Collection("content/blog", schema=Post)
