"""What a party is told instead of what it asked for: always JSON with `error`, `field` and `what_to_do`."""

from collections.abc import Mapping

from aiohttp import web


class Refusal(Exception):  # noqa: N818 - an answer, not a defect
    """A request is not granted."""

    def __init__(
        self, status: int, problem: str, field: str, remedy: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """`field` is the path in what was sent, or the header; `.` is the whole."""
        super().__init__(f"{field}: {problem}; {remedy}")
        self.status, self.problem, self.field, self.remedy = status, problem, field, remedy
        self.headers = headers or {}

    def response(self) -> web.Response:
        """As the caller gets it."""
        said = {"error": self.problem, "field": self.field, "what_to_do": self.remedy}
        return web.json_response(said, status=self.status, headers=dict(self.headers))
