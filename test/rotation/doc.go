// Package rotation holds the shipper to its promise under rotation: whatever becomes of a log's files, and however often
// the shipper is killed meanwhile, every line is one document. IMWATCH_TEST_ROTATION=200000 runs the whole matrix with
// so many lines a cell, at 10,000 a second with a rotation each second.
package rotation
