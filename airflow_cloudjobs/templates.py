# SPDX-License-Identifier: Apache-2.0
"""What becomes of a task's arguments when their templates are rendered: what of it is hidden, and what stays text."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from airflow_cloudjobs import compat
from airflow_cloudjobs.jobs.arguments import as_text_was, became_none, is_gone
from airflow_cloudjobs.jobs.hidden import Hidden, plain
from airflow_cloudjobs.jobs.redact import signatures

if TYPE_CHECKING:
    from airflow_cloudjobs.compat import BaseOperator

    _Base = BaseOperator
else:
    _Base = object


class TemplatedTask(_Base):
    """A task some of whose arguments must be shown nowhere, whatever a template makes of them."""

    hidden_arguments: ClassVar[tuple[str, ...]] = ()
    """The templated arguments that hold SQL, of which only a digest is shown."""
    show_sql: bool | None = None

    _is_built = False
    """True once the constructor has run: template fields that are set later are rendered ones."""
    _became_none: tuple[str, ...] = ()
    """The arguments in which a template has given the text ``None``."""
    _gone: tuple[str, ...] = ()
    """The arguments for which a template, or an XCom, has given None, as if they were not given."""
    _shown: tuple[str, ...] = ()
    """The arguments that read as digests, until the task is executed."""
    _withheld: Mapping[str, tuple[Any, Any]] = MappingProxyType({})
    """What stands in the place of an argument until then, and the argument, where Airflow hides nothing itself."""
    _rendered_in: int | None = None
    """The process that runs the task."""

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
        hides = name in self.hidden_arguments and self._hides_sql and isinstance(value, str) and value
        return [value] if hides else []

    @property
    def _hides_sql(self) -> bool:
        """True if SQL is to be hidden: by this task, or by Airflow's settings where it does not say."""
        return not (compat.shows_sql() if self.show_sql is None else self.show_sql)

    def _as_shown(self, name: str, value: Any) -> Any:
        """An argument as Airflow is to show it: the same value, but SQL in it reads as a digest."""
        return Hidden(value) if self._hidden_in(name, value) else value

    def pre_execute(self, context: Any) -> None:
        """Called by Airflow before the task is executed, and after it has stored what it shows of it."""
        super().pre_execute(context)
        self._reveal()

    def _reveal(self) -> None:
        """From here on arguments are worked with, and no longer shown."""
        # Not by setattr: that would hide them once more.
        mine = vars(self)
        mine.update({name: given for name, (shown, given) in self._withheld.items() if mine[name] is shown})
        mine.update({name: plain(mine[name]) for name in self._shown})
        self._shown, self._withheld = (), {}

    @property
    def _is_copy(self) -> bool:
        """True in a process that was forked of the one that runs the task."""
        return self._rendered_in not in (None, os.getpid())

    def _conceal(self) -> None:
        """Have all arguments read as Airflow shows them, for good: where the task is not run any more."""
        for name in self.template_fields:
            vars(self)[name] = compat.hidden_in(self._as_shown(name, plain(getattr(self, name, None))))

    def _do_render_template_fields(
        self, parent: Any, template_fields: Any, context: Any, jinja_env: Any, seen_oids: set[int]
    ) -> None:
        """Hide what must not be shown before templates are rendered, since Airflow logs one that fails as a whole; keep
        texts that are no templates as they are.

        This is what Airflow calls for plain and for mapped tasks, and only where a task is about to run.
        """
        from jinja2.nativetypes import NativeEnvironment  # where templates are rendered it is there

        self._reveal()
        own = {name: getattr(self, name, None) for name in template_fields} if parent is self else {}
        for name, written in own.items():
            self._hide_template(name, written, jinja_env)
        super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
        for name, written in own.items():
            rendered = getattr(self, name, None)
            if isinstance(jinja_env, NativeEnvironment):
                kept = as_text_was(written, rendered, tuple(self.template_ext))
                if kept != rendered:
                    setattr(self, name, kept)
                rendered = kept
            if is_gone(written, rendered):
                self._gone = (*self._gone, name)
            if (shown := self._as_shown(name, rendered)) is not rendered:
                vars(self)[name] = shown
                self._shown = (*self._shown, name)
        if own:
            self._rendered_in = os.getpid()
            self._is_rendered(context)
            if not compat.hides_rendered_fields():
                self._withhold(own)

    def _withhold(self, names: Iterable[str]) -> None:
        """Have arguments be no more than what may be shown of them: Airflow is about to store them as they are."""
        withheld = {}
        for name in names:
            given = getattr(self, name, None)
            if (shown := compat.hidden_in(given)) != plain(given):
                vars(self)[name] = shown
                withheld[name] = shown, given
        self._withheld = withheld

    @abstractmethod
    def _is_rendered(self, context: Mapping[str, Any]) -> None:
        """What is done once the arguments are rendered, before Airflow tells anybody that the task starts."""

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
