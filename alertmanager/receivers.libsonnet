// What each receiver sends: the channels of its severity that are switched on. The texts are in templates/.
local fill = import '../rules/lib/fill.libsonnet';

local text(name) = fill('{{ template "runtime_exporter.%s" . }}', name);
local orElse(value, default) = if value == '' then default else value;

local bearer(credentialsFile) =
  if credentialsFile == '' then {}
  else { http_config: { authorization: { type: 'Bearer', credentials_file: credentialsFile } } };

// The service and where it runs, by the names that the labels have here: "`shop` in `prod` on `eu-1`".
local service(config) =
  local code(label) = fill('{{ template "runtime_exporter.slack.code" .CommonLabels.%s }}', label);
  local place(word, label) = fill('{{ if .CommonLabels.%s }} %s %s{{ end }}', [label, word, code(label)]);
  code('job')
  + place('in', config.namespaceLabel)
  + if config.clusterLabel == config.namespaceLabel then '' else place('on', config.clusterLabel);

// Colour, title and buttons. A field is never empty, and each button has a link, whatever an alert lacks.
local slack(config, severity) = {
  local settings = config.alertmanager,
  api_url_file: settings.slack.apiUrlFile,
  channel: orElse(severity.slackChannel, settings.slack.channel),
  send_resolved: settings.slack.sendResolved,
  color: text('slack.color'),
  title: text('slack.title'),
  title_link: text('group_url'),
  fallback: text('slack.fallback'),
  text: text('slack.text'),
  footer: text('slack.footer'),
  mrkdwn_in: ['text', 'fields'],
  fields: [{ title: text('slack.service_title'), value: service(config), short: true }] + [
    { title: text(fill('slack.%s_title', field)), value: text(fill('slack.%s', field)), short: true }
    for field in ['instance', 'since', 'state']
  ],
  actions: [
    { type: 'button', text: text(fill('slack.%s_button', link)), url: text(fill('slack.%s_url', link)) }
    for link in ['runbook', 'dashboard', 'profile', 'query', 'silence']
  ],
};

local demandsTls(email) =
  local answers = { always: true, never: false, auto: email.authUsername != '' };
  if std.objectHas(answers, email.tls) then answers[email.tls]
  else error fill("alertmanager.email.tls: '%s' is not 'always', 'never' or 'auto'", email.tls);

local login(email) =
  if email.authUsername == '' then {}
  else { auth_username: email.authUsername, auth_password_file: email.authPasswordFile };

local email(settings, severity) = {
  local channel = settings.email,
  to: orElse(severity.emailTo, channel.to),
  from: channel.from,
  smarthost: channel.smarthost,
  hello: channel.hello,
  require_tls: demandsTls(channel),
  send_resolved: channel.sendResolved,
  headers: {
    Subject: text('email.subject'),
    // RFC 3834: no out-of-office reply goes back to the sender.
    'Auto-Submitted': 'auto-generated',
    Importance: text('email.importance'),
  },
  html: text('email.html'),
  text: text('email.text'),
} + login(settings.email);

local webhook(settings) = {
  url: settings.url,
  max_alerts: settings.maxAlerts,
  send_resolved: settings.sendResolved,
} + bearer(settings.credentialsFile);

local deadMansSwitch(settings) = {
  url: settings.url,
  send_resolved: false,
} + bearer(settings.credentialsFile);

// The exporter lets in whom its web configuration names, which knows basic authentication; a proxy before it may want a token.
local profiler(settings) = {
  url: settings.url,
  send_resolved: settings.sendResolved,
} + (
  if settings.username == '' then bearer(settings.credentialsFile)
  else { http_config: { basic_auth: { username: settings.username, password_file: settings.credentialsFile } } }
);

local actor(settings) =
  if settings.secretFile == '' then error 'alertmanager.act.secretFile: is empty; act lets nobody in without the secret'
  else { url: settings.url, send_resolved: settings.sendResolved } + bearer(settings.secretFile);

// A receiver with the channels that are on; a channel without configurations has no key at all.
local receiver(name, channels) = { name: name } + { [key]: channels[key] for key in std.objectFields(channels) if channels[key] != [] };

local forSeverity(config, name) =
  local settings = config.alertmanager;
  local severity = settings[name];
  receiver(name, {
    slack_configs: if severity.slack && settings.slack.enabled then [slack(config, severity)] else [],
    email_configs: if severity.email && settings.email.enabled then [email(settings, severity)] else [],
    webhook_configs: if severity.webhook && settings.webhook.url != '' then [webhook(settings.webhook)] else [],
  });

function(config) local settings = config.alertmanager; [
  forSeverity(config, 'critical'),
  forSeverity(config, 'warning'),
  forSeverity(config, 'info'),
  receiver('watchdog', { webhook_configs: if settings.watchdog.url != '' then [deadMansSwitch(settings.watchdog)] else [] }),
  receiver('null', {}),
] + (
  if settings.profiling.enabled then [receiver('profiling', { webhook_configs: [profiler(settings.profiling)] })] else []
) + (
  if settings.act.enabled then [receiver('act', { webhook_configs: [actor(settings.act)] })] else []
)
