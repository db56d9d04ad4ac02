// Package channel holds the words between the alerting stage and the ways to notify: what is to be told, and what a
// provider answered.
//
// A channel (WeCom, e-mail, webhook, SMS) makes one attempt for each call and reports truthfully what became of it.
// When to try again, how fast, and what to write down is the stage's business.
package channel
