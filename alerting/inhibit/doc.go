// Package inhibit says which alerts are only the consequence of another one that fires: of a node that is down people
// hear once, not of each of the thousand heartbeats that it no longer answers. Those are counted with the one that is
// told. It keeps no store and knows no time.
package inhibit
