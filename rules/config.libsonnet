// Every knob of the mixin, with its default. Overridden by the user's YAML (a JSON merge patch: null deletes).
{
  _config+:: {
    // --- rules (rules/) -----------------------------------------------------------------------------------------
    // --- dashboards (dashboards/) -------------------------------------------------------------------------------
    // --- Alertmanager (alertmanager/) ---------------------------------------------------------------------------
  },
}
