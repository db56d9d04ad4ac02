// Package api is the HTTP interface of the alerting for people and programs: what fires, what was told, silences and
// acknowledgements, and the audit. Callers show a token that has a role; links in messages are signed, and act only after
// a click on the page that they open. openapi.json describes it.
package api
