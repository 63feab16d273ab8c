"""The operator's end of an API of a running gateway: one request at a time, and errors that say what to do."""

import http.client
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, build_opener

from ieee2030_5.admin import token
from ieee2030_5.admin.token import URL_FILE

TIMEOUT_S: Final = 30.0
Json = Any
"""What the API answers; its OpenAPI document says what that is."""


class OperatorError(Exception):
    """What was asked cannot be done; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Asks a running gateway."""

    url: str
    token: str
    timeout_s: float = TIMEOUT_S

    @classmethod
    def of(
        cls,
        directory: Path,
        environ: Mapping[str, str] = os.environ,
        url_file: str = URL_FILE,
    ) -> "Operator":
        """The gateway that keeps its state in a directory.

        Args:
            directory: as in the zone file.
            environ: where the token may be.
            url_file: holds where that API is, while it is up.

        Raises:
            OperatorError: none runs there, or its token cannot be used.
        """
        try:
            url = (directory / url_file).read_text().strip()
        except OSError as error:
            raise OperatorError(
                f"no gateway serves IEEE 2030.5 from {directory} ({error.strerror}: {url_file}); "
                "start one with `ampacity run ZONE`, or name its storage directory with --directory"
            ) from error
        try:
            return cls(url, token.read(directory, environ))
        except token.TokenError as error:
            raise OperatorError(str(error)) from error

    def get(self, *path: str, **query: object) -> Json:
        """Look."""
        return self._ask("GET", path, query=query)

    def put(self, *path: str, body: Mapping[str, object] | None = None) -> Json:
        """Set."""
        return self._ask("PUT", path, body)

    def post(self, *path: str, body: Mapping[str, object] | None = None, **query: object) -> Json:
        """Do."""
        return self._ask("POST", path, body, query)

    def delete(self, *path: str) -> Json:
        """Take away."""
        return self._ask("DELETE", path)

    def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        body: Mapping[str, object] | None = None,
        query: Mapping[str, object] | None = None,
    ) -> Json:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        target = "/v1/" + "/".join(quote(part, safe="") for part in path) + (f"?{urlencode(given)}" if given else "")
        if urlsplit(self.url).scheme != "http":
            raise OperatorError(f"{self.url!r} is no URL of a gateway; start it again with `ampacity run ZONE`")
        request = Request(  # noqa: S310  (http alone: see above)
            self.url + target,
            method=method,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with build_opener().open(request, timeout=self.timeout_s) as response:
                data = response.read()
        except HTTPError as error:
            raise OperatorError(_told(error)) from error
        except (URLError, http.client.HTTPException, OSError) as error:
            reason = getattr(error, "reason", error)
            raise OperatorError(
                f"no gateway answers at {self.url} ({reason}); start one with `ampacity run ZONE`"
            ) from error
        return json.loads(data) if data else None


def _told(error: HTTPError) -> str:
    """What the server says about a refused request."""
    try:
        said = json.loads(error.read())
        return f"{said['error']} ({said['where']}); {said['what_to_do']}"
    except (ValueError, KeyError, TypeError):
        return f"{error.url} answered {error.code} {error.reason}, which is no answer of a gateway"
