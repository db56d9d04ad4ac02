// Package status is what a shipper tells of itself to those who run it: how it is as a whole, and each file and input.
//
// Only the shapes of the answers, filters and pages are here, and the handler that serves them; the numbers are the
// shipper's. Sizes are bytes, rates are per second, times of day are UTC; lengths of time have their unit in the name.
package status
