// Package route decides which receivers hear of an alert: a tree of matchers, as in Alertmanager.
//
// An alert enters at the root. At each node whose matchers it satisfies the children are tried in order; the first
// that matches takes it, and only a child with continue: true lets the later ones try as well. A node none of whose
// children match keeps the alert for itself. What a node leaves out (receivers, repeat_interval, group_by, …) it has from
// its parent.
//
// Decisions depend on nothing but the alert and the configuration.
package route
