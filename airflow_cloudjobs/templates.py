# SPDX-License-Identifier: Apache-2.0
"""What becomes of a task's arguments when their templates are rendered: what of it is hidden, and what stays text."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from airflow_cloudjobs import compat
from airflow_cloudjobs.jobs.arguments import as_text_was, became_none
from airflow_cloudjobs.jobs.redact import signatures

if TYPE_CHECKING:
    from airflow_cloudjobs.compat import BaseOperator

    _Base = BaseOperator
else:
    _Base = object


class TemplatedTask(_Base):
    """A task some of whose arguments must be shown nowhere, whatever a template makes of them."""

    hidden_arguments: ClassVar[tuple[str, ...]] = ()
    """The templated arguments whose text is shown nowhere."""

    _is_built = False
    """True once the constructor has run: template fields that are set later are rendered ones."""
    _became_none: tuple[str, ...] = ()
    """The arguments in which a template has given the text ``None``."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Keep an argument as text; have Airflow hide what a template gave where that must not be shown.

        Rendering sets attributes, of mapped tasks too, before Airflow stores the rendered fields.
        """
        written = vars(self).get(name)
        if name in self.template_fields:
            value = _as_written(value)
        super().__setattr__(name, value)
        if name in self.template_fields and self._is_built:
            if became_none(written, value):
                self._became_none = (*self._became_none, name)
            for secret in [*self._hidden_in(name, value), *signatures(value)]:
                compat.hide_in_logs(secret)

    def _hidden_in(self, name: str, value: Any) -> list[str]:
        """The texts in an argument that are shown nowhere."""
        return [value] if name in self.hidden_arguments and isinstance(value, str) and value else []

    def _do_render_template_fields(
        self, parent: Any, template_fields: Any, context: Any, jinja_env: Any, seen_oids: set[int]
    ) -> None:
        """Hide what must not be shown before templates are rendered, since Airflow logs one that fails as a whole; keep
        texts that are no templates as they are.

        This is what Airflow calls for plain and for mapped tasks, and only where a task is about to run.
        """
        from jinja2.nativetypes import NativeEnvironment  # where templates are rendered it is there

        own = {name: getattr(self, name, None) for name in template_fields} if parent is self else {}
        for name, written in own.items():
            self._hide_template(name, written, jinja_env)
        super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
        if not isinstance(jinja_env, NativeEnvironment):
            return
        for name, written in own.items():
            kept = as_text_was(written, getattr(self, name, None), tuple(self.template_ext))
            if kept != getattr(self, name, None):
                setattr(self, name, kept)

    def _hide_template(self, name: str, written: Any, jinja_env: Any) -> None:
        texts = self._hidden_in(name, written)
        for text in list(texts):
            try:
                jinja_env.parse(text)
            except Exception:
                # Jinja's words for bad syntax show the line, and the task fails in any case.
                texts += filter(None, map(str.strip, text.splitlines()))
        for text in [*texts, *signatures(written)]:
            compat.hide_in_logs(text)


def _as_written(value: Any) -> Any:
    """An argument as what it stands for: paths and UUIDs, in a list too, as text, and a text without the mark of byte
    order that some editors put in front of a file."""
    if isinstance(value, str):
        return value.removeprefix("\ufeff")
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, (list, tuple, set)) and any(isinstance(item, (os.PathLike, UUID)) for item in value):
        return type(value)(map(_as_written, value))
    return value
