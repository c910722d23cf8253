// The image registry of the bare cluster: distribution with the one storage driver that it uses.
// (Its own main package also brings the clients of three cloud stores: nearly half of its build.)
package main

import (
	"os"

	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
)

func main() {
	if registry.RootCmd.Execute() != nil {
		os.Exit(1)
	}
}
