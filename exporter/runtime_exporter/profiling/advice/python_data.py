"""What Python's own ways with data cost, where there are cheaper ones. Read off CPU profiles.

The order is the order of causes: what an earlier rule explains, a later one does not count again.
"""

from __future__ import annotations

from typing import Final

from runtime_exporter.profiling.advice.frames import IMPORTING, Frames, package
from runtime_exporter.profiling.advice.share import Share
from runtime_exporter.profiling.advice.values import Rule, Threshold
from runtime_exporter.profiling.advice.wording import COMPARE, LARGE, SMALL

RULES: Final = (
    Rule(
        name="pandas-row-by-row",
        language="python",
        title="A DataFrame is worked through row by row",
        judge=Share(
            frames=package("pandas.core.apply") | Frames(
                "pandas.core.frame:DataFrame.iterrows",
                "pandas.core.frame:DataFrame.itertuples",
                "pandas.core.frame:DataFrame.apply",
                "pandas.core.series:Series.apply",
                "pandas.core.series:Series.map",
            ),
            threshold=Threshold("share of CPU time beneath row-wise pandas calls", 0.10, "ratio", LARGE),
            what="pandas calls that go row by row",
        ),
        kind="cpu",
        speaks="iterrows, itertuples, apply or map have the share.",
        silent="The work is done by column: that runs in numpy, beneath other frames.",
        do="Say it by column: arithmetic and comparisons on whole Series, merge, groupby with a named aggregation, .str and .dt; at least itertuples instead of iterrows.",
        verify=COMPARE,
        wrong="The function applied does the real work (a model, a request), and pandas only calls it; the share is then its own.",
    ),
    Rule(
        name="orm-hydration",
        language="python",
        title="Rows are made into objects that cost more than the query",
        judge=Share(
            frames=Frames(
                "django.db.models.query:ModelIterable.__iter__",
                "django.db.models.query:RelatedPopulator.populate",
                "django.db.models.base:Model.from_db",
                "sqlalchemy.orm.loading:_instance*",
                "sqlalchemy.orm.loading:_populate_*",
            ),
            without=Frames(
                "django.db.models.sql.compiler:SQLCompiler.execute_sql",
                "django.db.models.sql.compiler:SQLCompiler.as_sql",
                "sqlalchemy.engine.default:DefaultDialect.do_execute",
                "sqlalchemy.engine.cursor:CursorResult._fetchall_impl",
            ),
            threshold=Threshold("share of CPU time making objects of rows", 0.20, "ratio", LARGE),
            what="making ORM objects of rows",
        ),
        kind="cpu",
        speaks="Django's ModelIterable or SQLAlchemy's loading have the share, the query itself left out.",
        silent="Rows are read as tuples or dictionaries, or the time is in the query.",
        do="Ask for the columns that are used: values()/values_list()/only() (Django), select(columns) or load_only() (SQLAlchemy); page long lists; count and sum in the database.",
        verify=COMPARE,
        wrong="The objects' own methods are what the request needs, and the lists are short.",
    ),
    Rule(
        name="validation-cost",
        language="python",
        title="Validating data costs a large part of the CPU",
        judge=Share(
            frames=Frames(
                "pydantic.main:BaseModel.__init__",
                "pydantic.main:BaseModel.model_validate*",
                "pydantic.main:BaseModel.parse_obj",
                "pydantic.main:validate_model",
                "pydantic.type_adapter:TypeAdapter.validate_*",
                "pydantic._internal._dataclasses:*",
                "pydantic.dataclasses:*",
                "fastapi._compat.v2:ModelField.validate",
                "fastapi._compat:ModelField.validate",
                "marshmallow.schema:Schema._do_load",
            ),
            threshold=Threshold("share of CPU time validating", 0.15, "ratio", LARGE),
            what="validating data into models",
        ),
        kind="cpu",
        speaks="pydantic (v1 or v2, FastAPI's use of it included) or marshmallow have the share.",
        silent="Models are made once, or with model_construct().",
        do="Validate at the border only: model_construct() for data of your own, one TypeAdapter(list[Model]) for a list, model_validate_json() instead of json.loads() first, no validators in Python where a constraint says the same.",
        verify=COMPARE,
        wrong="The data is hostile and validation is what keeps the service safe.",
    ),
    Rule(
        name="deepcopy",
        language="python",
        title="Structures are copied deeply",
        judge=Share(
            frames=Frames("copy:deepcopy"),
            threshold=Threshold("share of CPU time beneath copy.deepcopy", 0.05, "ratio", SMALL),
            what="copying objects deeply",
        ),
        kind="cpu",
        speaks="copy.deepcopy has the share.",
        silent="Copies are shallow: they are made in C, and leave next to nothing.",
        do="Copy what is changed and no more ({**old, 'key': new}), or make the value immutable and share it.",
        verify=COMPARE,
        wrong="The copies are what isolates one request from another, and nothing else does.",
    ),
    Rule(
        name="strptime",
        language="python",
        title="Dates are parsed by a format",
        judge=Share(
            frames=package("_strptime", "dateutil.parser"),
            threshold=Threshold("share of CPU time parsing dates", 0.03, "ratio", SMALL),
            what="parsing dates",
        ),
        kind="cpu",
        speaks="_strptime (behind datetime.strptime and time.strptime) or dateutil's parser have the share.",
        silent="datetime.fromisoformat() is used: it is written in C and leaves no frame.",
        do="Use datetime.fromisoformat() for ISO 8601 (any of its forms from Python 3.11 on), or keep numbers instead of texts.",
        verify=COMPARE,
        wrong="The format is not ISO 8601 and cannot be changed.",
    ),
    Rule(
        name="regex-compile",
        language="python",
        title="Regular expressions are compiled in a hot path",
        judge=Share(
            frames=package("re._compiler", "re._parser", "sre_compile", "sre_parse", "regex._regex_core")
            | Frames("re:_compile", "regex.regex:_compile", "regex._main:_compile"),
            without=IMPORTING,
            threshold=Threshold("share of CPU time beneath re._compile", 0.03, "ratio", SMALL),
            what="compiling regular expressions or looking them up in re's cache",
        ),
        kind="cpu",
        speaks="re._compile and what it calls have the share; it is also what each re.match(text pattern, ...) goes through.",
        silent="Patterns are compiled while modules are imported.",
        do="Compile the pattern once, at the top of the module, and call its methods. re keeps 512 patterns: more than that compile anew.",
        verify=COMPARE,
        wrong="The patterns come from users and each is used once.",
    ),
    Rule(
        name="json-stdlib",
        language="python",
        title="The standard library's json costs a large part of the CPU",
        judge=Share(
            frames=package("json", "simplejson"),
            by="self",
            threshold=Threshold("share of CPU time in json itself", 0.08, "ratio", LARGE),
            what="reading and writing JSON",
        ),
        kind="cpu",
        speaks="The leaf of the stacks is in json: its C code is counted there, a `default=` function of yours is not.",
        silent="The profile is biased, so that its leaves cannot be trusted.",
        do="Send less (fields, pages, no indent=), keep encoded what does not change, or use orjson or msgspec, which do the same work in a fraction of the time.",
        verify=COMPARE,
        wrong="The bound is not the gain: another library takes its time, too. Its output differs in spaces, NaN, and keys that are no texts.",
        needs_leaf=True,
    ),
)  # fmt: skip
