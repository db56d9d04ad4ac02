// Package kibana makes the saved objects for looking into the pipeline's data in Kibana: data views, saved searches
// and a dashboard, as NDJSON for Kibana's import, and brings them into a Kibana by its API.
//
// Every field in them comes from the event table, and a test holds them to the rules that Kibana's own import checks
// and to some that it does not (references, columns, field types). Objects are stamped with versions of 8.9 and
// before (searches: 8.17), so that any Kibana from 8.19 on migrates them by itself.
package kibana
