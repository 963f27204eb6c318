"""The use declaration: what a request is for, and what is in it."""

from typing import Annotated

from pydantic import Field

from circletake.domain.policy.declaration import DeliverableStage, IntendedUse, UseDeclaration
from services.api.schemas.common import Body

Media = Annotated[str, Field(pattern=r"^(\*|[a-z][a-z0-9_]{0,39})$")]
Territory = Annotated[str, Field(pattern=r"^(\*|[A-Z]{2})$")]


class UseBody(Body):
    """What a request is for, and what is in it. What is left out, or null, counts as not said, which is neither yes
    nor no: policy packs may ask for it, and consents that are limited need `media` and `territory`."""

    deliverable_stage: DeliverableStage | None = Field(
        default=None, description="`temp`: temporary media; `final`: it may be part of a deliverable"
    )
    involves_talent_likeness: bool | None = Field(
        default=None, description="A real person's likeness or voice is in it"
    )
    involves_personal_data: bool | None = Field(default=None, description="Personal data goes to the model")
    third_party_ip: bool | None = Field(
        default=None, description="It rests on somebody else's work, or refers to it"
    )
    story_critical: bool | None = Field(
        default=None, description="A main character, a central visual or another key element of the story"
    )
    could_mislead: bool | None = Field(
        default=None, description="Viewers could take it for a real event or a real person's statement"
    )
    ai_text: bool | None = Field(
        default=None, description="It rests on a script, an outline or a storyboard that AI made"
    )
    intended_use: IntendedUse | None = None
    media: Annotated[list[Media], Field(min_length=1, max_length=20)] | None = Field(
        default=None,
        description="Where it will be shown, for example `theatrical`, `streaming`; `*`: anywhere",
    )
    territory: Annotated[list[Territory], Field(min_length=1, max_length=250)] | None = Field(
        default=None, description="Countries as ISO 3166-1 has them in two letters; `*`: worldwide"
    )

    def to_declaration(self) -> UseDeclaration:
        return UseDeclaration(
            deliverable_stage=self.deliverable_stage,
            intended_use=self.intended_use,
            involves_talent_likeness=self.involves_talent_likeness,
            involves_personal_data=self.involves_personal_data,
            third_party_ip=self.third_party_ip,
            story_critical=self.story_critical,
            could_mislead=self.could_mislead,
            ai_text=self.ai_text,
            media=None if self.media is None else tuple(sorted(set(self.media))),
            territory=None if self.territory is None else tuple(sorted(set(self.territory))),
        )
