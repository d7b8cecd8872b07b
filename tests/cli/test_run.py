"""`runtime-exporter run`: real programs, real servers, and what a user may get wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tools import free_port, wait_for

BIN = Path(sys.executable).parent
RUN = (str(BIN / "runtime-exporter"), "run")

FLASK = """
from flask import Flask
app = Flask(__name__)

@app.get("/orders/<int:number>")
def order(number):
    return str(number)

if __name__ == "__main__":
    import sys
    app.run(port=int(sys.argv[1]))
"""
FASTAPI = """
from fastapi import FastAPI
app = FastAPI()

@app.get("/orders/{number}")
def order(number: int):
    return number
"""
STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

async def order(request):
    return PlainTextResponse("x")

app = Starlette(routes=[Mount("/orders", routes=[Route("/{number}", order)])])
"""
WRAPPED = (
    FASTAPI
    + """
import runtime_exporter
app.add_middleware(runtime_exporter.ASGIMiddleware)
"""
)
DJANGO = """
import sys
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="x", ALLOWED_HOSTS=["*"], MIDDLEWARE=[], DEBUG=True)
urlpatterns = [path("orders/<int:number>", lambda request, number: HttpResponse(str(number)))]
if __name__ == "__main__":
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
else:
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application
    wsgi, asgi = get_wsgi_application(), get_asgi_application()
"""


@pytest.fixture
def place(tmp_path):
    """A directory with an application for each framework, none of which knows of us."""
    for name, text in {"fl": FLASK, "fa": FASTAPI, "st": STARLETTE, "wr": WRAPPED, "dj": DJANGO}.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


@pytest.fixture
def environ(tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RUNTIME_EXPORTER_", "PYTHON"))}
    return {**kept, "PATH": f"{BIN}{os.pathsep}{kept['PATH']}", "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def run(place, environ):
    """Run a program to its end."""

    def run(*arguments, variables=(), stdin=None):
        return subprocess.run(
            [*RUN, *arguments],
            cwd=place,
            env={**environ, **dict(variables)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            input=stdin,
        )

    return run


@pytest.fixture
def serve(place, environ):
    """Start a program that serves; ended, by its handle, with the test."""
    started = []

    def serve(*arguments):
        with (place / f"output{len(started)}").open("wb") as output:
            process = subprocess.Popen(
                [*RUN, *arguments],
                cwd=place,
                env=environ,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield serve
    for process in started:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def fetch(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.read().decode()
    except urllib.error.HTTPError as error:
        error.close()
        return ""
    except OSError:
        return ""


def counted(port: int) -> dict[tuple[str, str], float]:
    """Requests by route and status, as the exporter on `port` has them."""
    return {
        (sample.labels["http_route"], sample.labels["http_response_status_code"]): sample.value
        for family in text_string_to_metric_families(fetch(f"http://127.0.0.1:{port}/metrics"))
        for sample in family.samples
        if sample.name == "http_server_request_duration_seconds_count"
    }


SERVERS = {
    "a Flask script": (("fl.py", "{port}"), "/orders/<int:number>"),
    "python and a Flask script": (("python", "fl.py", "{port}"), "/orders/<int:number>"),
    "flask run": (("flask", "--app", "fl", "run", "--port", "{port}"), "/orders/<int:number>"),
    "flask run with its reloader": (
        ("flask", "--app", "fl", "run", "--debug", "--port", "{port}"),
        "/orders/<int:number>",
    ),
    "python -m flask": (("-m", "flask", "--app", "fl", "run", "--port", "{port}"), "/orders/<int:number>"),
    "gunicorn": (("gunicorn", "-w", "1", "-b", "127.0.0.1:{port}", "fl:app"), "/orders/<int:number>"),
    "gunicorn with threads": (
        ("gunicorn", "-w", "1", "--threads", "2", "-b", "127.0.0.1:{port}", "fl:app"),
        "/orders/<int:number>",
    ),
    "gunicorn with a preloaded application": (
        ("gunicorn", "-w", "1", "--preload", "-b", "127.0.0.1:{port}", "fl:app"),
        "/orders/<int:number>",
    ),
    "gunicorn and Django": (("gunicorn", "-w", "1", "-b", "127.0.0.1:{port}", "dj:wsgi"), "/orders/<int:number>"),
    "Django's runserver": (("dj.py", "runserver", "--noreload", "{port}"), "/orders/<int:number>"),
    "Django's runserver with its reloader": (("dj.py", "runserver", "{port}"), "/orders/<int:number>"),
    "uvicorn and Django": (("uvicorn", "dj:asgi", "--lifespan", "off", "--port", "{port}"), "/orders/<int:number>"),
    "uvicorn and FastAPI": (("uvicorn", "fa:app", "--port", "{port}"), "/orders/{number}"),
    "an application that has the middleware": (("uvicorn", "wr:app", "--port", "{port}"), "/orders/{number}"),
    "uvicorn with its reloader": (("uvicorn", "fa:app", "--reload", "--port", "{port}"), "/orders/{number}"),
    "uvicorn and Starlette": (("uvicorn", "st:app", "--port", "{port}"), "/orders/{number}"),
}


@pytest.mark.parametrize(("command", "route"), SERVERS.values(), ids=SERVERS.keys())
def test_an_unchanged_application_is_measured_in_the_process_that_serves_it(serve, command, route):
    port, metrics = free_port(), free_port()
    process = serve("--port", str(metrics), "--", *(word.format(port=port) for word in command))
    # Before the first request: whoever waits for one would have Prometheus see the target down.
    wait_for(lambda: "process_cpu_seconds_total" in fetch(f"http://127.0.0.1:{metrics}/metrics"), what="the exporter")
    assert counted(metrics) == {}
    wait_for(lambda: fetch(f"http://127.0.0.1:{port}/orders/1"), what="the application")
    fetch(f"http://127.0.0.1:{port}/etc/passwd")
    wait_for(lambda: counted(metrics) == {(route, "200"): 1, ("unmatched", "404"): 1}, what="both requests")
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    assert fetch(f"http://127.0.0.1:{metrics}/metrics") == ""


@pytest.mark.parametrize("kind", ["script", "module", "python", "path"])
def test_the_exit_code_and_the_output_are_the_programs_own(run, place, kind):
    command, code = {
        "script": (["program.py"], 0),
        "module": (["-m", "program"], 1),
        "python": (["python", "program.py"], 3),
        "path": ([str(place / "program.py")], 77),
    }[kind]
    (place / "program.py").write_text(
        f"import sys\nprint(sys.argv[1:])\nprint('err', file=sys.stderr)\nprint(sys.stdin.read())\nsys.exit({code})\n"
    )
    result = run("--", *command, "--port", "x", stdin="input")
    assert (code, "['--port', 'x']\ninput\n", "err\n") == (result.returncode, result.stdout, result.stderr)


def test_a_command_that_is_written_in_python_is_run_by_its_own_interpreter(run, place):
    command = place / "command"
    command.write_text(f"#!{sys.executable}\nprint(__name__)\n")
    command.chmod(0o755)
    assert run("--", "./command").stdout == "__main__\n"
    assert run("--", "command", variables={"PATH": str(place)}).stdout == "__main__\n"


def test_a_script_that_may_not_be_executed_is_run_by_ours(run, place):
    (place / "script").write_text("import sys; print(sys.prefix)\n")
    assert run("--", "./script").stdout.strip() == sys.prefix


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_reaches_the_program_itself(serve, place, number):
    (place / "waiting.py").write_text(
        "import signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(42))\n"
        "print('ready')\n"
        "while True: time.sleep(60)\n"
    )
    process = serve("--port", "0", "--", "waiting.py")
    wait_for(lambda: "ready" in (place / "output0").read_text(), what="the program")
    process.send_signal(number)
    assert process.wait(20) == 42


def test_a_signal_that_kills_the_program_is_what_it_died_of(serve, place):
    (place / "waiting.py").write_text("import time\nprint('ready')\ntime.sleep(60)\n")
    process = serve("--port", "0", "--", "waiting.py")
    wait_for(lambda: "ready" in (place / "output0").read_text(), what="the program")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == -signal.SIGTERM


def test_a_sitecustomize_that_was_there_is_still_run(run, place):
    (place / "site").mkdir()
    (place / "site" / "sitecustomize.py").write_text("flag = __name__\n")
    (place / "program.py").write_text(
        "import sitecustomize as s, sys\nprint(s.flag, s.__file__)\nprint([p for p in sys.path if 'injected' in p])\n"
    )
    result = run("--", "program.py", variables={"PYTHONPATH": str(place / "site")})
    assert f"sitecustomize {place / 'site' / 'sitecustomize.py'}\n[]\n" == result.stdout
    assert result.stderr == ""


def test_a_process_that_the_program_starts_has_the_environment_of_before(run, place):
    (place / "child.py").write_text(
        "import os\nprint(sorted(n for n in os.environ if n.startswith(('PYTHONPATH', 'RUNTIME_'))))\n"
    )
    (place / "program.py").write_text(
        "import os, subprocess, sys, time\n"
        "while 'RUNTIME_EXPORTER_BOOTSTRAP' in os.environ: time.sleep(0.01)\n"
        "subprocess.run([sys.executable, 'child.py'])\n"
    )
    assert run("--port", "0", "--", "program.py").stdout == "['RUNTIME_EXPORTER_PORT']\n"


def test_a_program_that_starts_an_exporter_by_itself_has_its_own(run, place):
    (place / "program.py").write_text(
        "import os, time, urllib.request, runtime_exporter\n"
        "while 'RUNTIME_EXPORTER_BOOTSTRAP' in os.environ: time.sleep(0.01)\n"
        "exporter = runtime_exporter.start(metrics_path='/own')\n"
        "print(urllib.request.urlopen(exporter.url + '/own').status)\n"
    )
    result = run("--port", str(free_port()), "--", "program.py")
    assert (0, "200\n") == (result.returncode, result.stdout), result.stderr


def test_a_port_in_use_is_one_line_and_the_program_runs(run, place):
    import socket

    (place / "program.py").write_text(
        "import os, time\nwhile 'RUNTIME_EXPORTER_BOOTSTRAP' in os.environ: time.sleep(0.01)\nprint('ran')\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("--port", str(port), "--", "program.py")
    assert (0, "ran\n") == (result.returncode, result.stdout)
    (line,) = result.stderr.splitlines()
    assert line.startswith("runtime-exporter: ")
    assert str(port) in line


def test_an_interpreter_without_the_package_runs_the_program_and_says_so_in_a_line(place, environ):
    """Its own virtual environment may well be another than ours."""
    other = place / "other"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(other)], check=True)
    (place / "program.py").write_text("print('ran')\n")
    command = [*RUN, "--", str(other / "bin" / "python"), "program.py"]
    result = subprocess.run(command, cwd=place, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (0, "ran\n") == (result.returncode, result.stdout)
    (line,) = result.stderr.splitlines()
    assert "not started in" in line
    assert "runtime_exporter" in line


def test_a_disabled_exporter_leaves_the_program_as_it_is(run, place):
    (place / "program.py").write_text(
        "import os, sys\nprint('PYTHONPATH' in os.environ, 'runtime_exporter' in sys.modules)\n"
    )
    assert run("--disabled", "true", "--", "program.py").stdout == "False False\n"


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--port", "banana", "--", "fl.py"), "port = 'banana'"),
        (("--prot", "1", "--", "fl.py"), "--prot"),
        (("--collectors", "nonsense", "--", "fl.py"), "nonsense"),
        (("--config-file", "none.yaml", "--", "fl.py"), "none.yaml"),
        (("--", "no-such-program"), "no-such-program: no such program"),
        (("--", "./no/such.py"), "./no/such.py: no such program"),
        (("--", "."), "without a __main__.py"),
        (("--", "-m"), "-m needs the name of a module"),
        (("--", "ls"), "ls is not a Python program"),
        ((), "PROGRAM"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run, arguments, what):
    result = run(*arguments)
    assert (2, "") == (result.returncode, result.stdout)
    (line,) = result.stderr.splitlines()
    assert what in line


def test_help_names_every_setting(run):
    from runtime_exporter.settings import SETTINGS

    text = run("--help").stdout
    assert [] == [setting.name for setting in SETTINGS if "--" + setting.name.replace("_", "-") not in text]
