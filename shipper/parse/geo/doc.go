// Package geo says where an address is and whose network it is in, from databases in MaxMind's format: GeoLite2 or
// GeoIP2 City, Country and ASN, and those of others with the same names. A database that is replaced is opened anew
// while lines flow.
package geo
