"""The composition root of `runtime-exporter act`: makes the parts and introduces them to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime_exporter.act.audit import Audit, now
from runtime_exporter.act.metrics import ActMetrics
from runtime_exporter.act.policy import Policy
from runtime_exporter.act.receiver import Secret, guarded, routes
from runtime_exporter.act.runner import Runner
from runtime_exporter.errors import ConfigError
from runtime_exporter.logs import LOGGER
from runtime_exporter.web.app import application_of
from runtime_exporter.web.server import Server
from runtime_exporter.web.webconfig import WebConfigFile

if TYPE_CHECKING:
    from runtime_exporter.act.config import Config


class Actor:
    """Takes alerts and runs what is listed for them. The constructor has no effects; `start` has."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._audit = Audit(config.audit_log)
        self._policy = Policy(config.actions, runs=config.runs, per=config.per)
        self._metrics = ActMetrics((action.name for action in config.actions), dry_run=config.dry_run)
        self._runner: Runner | None = None
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """Where it is served; empty while it is not."""
        return self._server.url if self._server is not None else ""

    def start(self) -> Actor:
        """Serve; return self. Raises ConfigError for a secret, a log, a web configuration or an address that will not do."""
        config = self._config
        secret = Secret(config.secret_file)
        try:
            secret.read()
        except ValueError as error:
            raise ConfigError(f"secret_file: {error}", setting="secret_file") from None
        self._audit.check()
        self._recall()
        web = WebConfigFile(config.web_config_file, source="web_config_file") if config.web_config_file else None
        if web is not None and web.current().auth is not None:
            text = f"{config.web_config_file}: basic_auth_users have no place here: secret_file says who is let in"
            raise ConfigError(text, setting="web_config_file")
        runner = None if config.dry_run else Runner(self._audit, self._metrics, self._policy.take_back)
        app = application_of(routes(self._policy, self._audit, runner.submit if runner else None, self._metrics))
        server = Server(
            guarded(app, secret, self._metrics),
            config.address,
            config.port,
            web,
            source=lambda name: f"{name} of the file",
        )
        server.start()
        self._server = server
        if runner is not None:
            runner.start()
            self._runner = runner
        how = "dry run: nothing is run" if config.dry_run else "commands are run"
        LOGGER.info("%d actions, serving %s, %s", len(config.actions), self.url, how)
        return self

    def close(self) -> None:
        """Stop serving, end the command that runs. A second call does nothing."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()

    def _recall(self) -> None:
        """Count what was run before a restart: else one would be a way around every limit."""
        longest = max([self._config.per, *(action.cool_down for action in self._config.actions), 7 * 86400.0])
        for run in self._audit.runs(since=now() - longest):
            self._policy.remember(run)
