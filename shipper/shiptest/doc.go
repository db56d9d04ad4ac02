// Package shiptest shows what a shipper's configuration makes of lines, without a broker: of a sample each line's result,
// and of the tests in the configuration whether they hold.
package shiptest
