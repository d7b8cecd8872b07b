"""Build time: rules, dashboards and Alertmanager files from one configuration."""
