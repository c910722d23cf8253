// The S3 object store that the chart runs inside the cluster by default: VersityGW on a file system,
// behind a guard of its operations (guard.go) and a front with limits (front.go). Flags are those of the versitygw
// program that the chart uses, and mean the same, and those of the limits.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

// VersityGW's own limits, which it sets as the defaults of its flags.
const (
	connections   = 250_000
	requests      = 100_000
	actions       = 5_000
	parts         = 10_000
	copyThreshold = 5 << 30
	cachePrune    = 3600
)

// An account that is looked up while its secret changes may be remembered with the old one for so long.
const cacheSeconds = 10

// limits bound what clients use of the program; parse names their flags.
type limits struct {
	idle        time.Duration
	connections int
	requests    int
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "versitygw:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 1 && arguments[0] == "--version" {
		fmt.Println(version())
		return nil
	}
	config, bounds, sidecar, folder, err := parse(arguments)
	if err != nil {
		return err
	}
	options := posix.PosixOpts{
		Concurrency: actions, CopyObjectThreshold: copyThreshold, SideCarDir: sidecar,
		// Files without a name get one beside the object that they replace, for a moment in which a kill
		// leaves an object that nobody put. Temporary files have a folder, which is cleared below.
		ForceNoTmpFile: true,
	}
	var storer meta.MetadataStorer = meta.XattrMeta{}
	if sidecar == "" {
		if err := (meta.XattrMeta{}).Test(folder); err != nil {
			return fmt.Errorf("%s keeps no extended attributes (use --sidecar there): %w", folder, err)
		}
	} else if storer, err = meta.NewSideCar(sidecar); err != nil {
		return err
	}
	if err := errors.Join(afterKill(folder, sidecar), accountsAfterKill(config.IAMDir)); err != nil {
		return err
	}
	files, err := posix.New(folder, storer, options)
	if err != nil {
		return err
	}
	collectSooner()
	if err := reserveNothing(); err != nil {
		fmt.Fprintln(os.Stderr, "versitygw: uploads reserve their whole length on the volume:", err)
	}
	front, err := newFront(config, bounds)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return front.run(ctx, &guarded{Backend: files}, config)
}

// collectSooner collects garbage before the container's limit of memory is near: decoded lists of keys and parts
// are most of it.
func collectSooner() {
	limit, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if bytes, err := strconv.ParseInt(strings.TrimSpace(string(limit)), 10, 64); err == nil {
		debug.SetMemoryLimit(bytes / 10 * 6)
	}
}

// version is that of VersityGW, which this program is built around.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/versity/versitygw" {
				return "VersityGW " + module.Version
			}
		}
	}
	return "VersityGW"
}

// parse reads "[flags] posix [--sidecar folder] folder"; the root keys are in the environment, where `ps` shows none.
func parse(arguments []string) (config *embedgw.Config, bounds limits, sidecar, folder string, err error) {
	config = &embedgw.Config{
		RootUserAccess: os.Getenv("ROOT_ACCESS_KEY_ID"), RootUserSecret: os.Getenv("ROOT_SECRET_ACCESS_KEY"),
		MaxConnections: connections, MaxRequests: requests,
		AdminMaxConnections: connections, AdminMaxRequests: requests, MultipartMaxParts: parts,
		IAMCacheTTL: cacheSeconds, IAMCachePrune: cachePrune,
	}
	port, adminPort := "", ""
	flags := flag.NewFlagSet("versitygw", flag.ContinueOnError)
	flags.StringVar(&port, "port", ":7070", "where S3 is served")
	flags.StringVar(&adminPort, "admin-port", "", "where the admin API is served; empty: on the same port")
	flags.StringVar(&config.CertFile, "cert", "", "the certificate of S3")
	flags.StringVar(&config.KeyFile, "key", "", "its key")
	flags.StringVar(&config.AdminCertFile, "admin-cert", "", "the certificate of the admin API")
	flags.StringVar(&config.AdminKeyFile, "admin-cert-key", "", "its key")
	flags.StringVar(&config.Region, "region", "us-east-1", "the region that requests are signed for")
	flags.StringVar(&config.IAMDir, "iam-dir", "", "the folder of the accounts")
	flags.StringVar(&config.HealthPath, "health", "", "a path that answers 200 to GET")
	flags.BoolVar(&config.DisableACLs, "disable-acl", false, "ignore ACLs: only owners and policies count")
	flags.BoolVar(&config.KeepAlive, "keep-alive", false, "keep connections open")
	flags.BoolVar(&config.Quiet, "quiet", false, "log no requests")
	flags.DurationVar(&bounds.idle, "idle-timeout", time.Minute, "a client that moves nothing for so long is disconnected")
	flags.IntVar(&bounds.connections, "max-connections", 4096, "at once on each port; a quarter for one address")
	flags.IntVar(&bounds.requests, "max-requests", 1024, "at once on each port; a quarter for one address")
	if err = flags.Parse(arguments); err != nil {
		return nil, bounds, "", "", err
	}
	if flags.Arg(0) != "posix" {
		return nil, bounds, "", "", fmt.Errorf("posix is the only backend, not %q", flags.Arg(0))
	}
	config.Ports = []string{port}
	if adminPort != "" {
		config.AdminPorts = []string{adminPort}
	}
	posix := flag.NewFlagSet("posix", flag.ContinueOnError)
	posix.StringVar(&sidecar, "sidecar", "", "keep metadata in files of this folder")
	if err = posix.Parse(flags.Args()[1:]); err != nil {
		return nil, bounds, "", "", err
	}
	if posix.NArg() != 1 || config.IAMDir == "" {
		return nil, bounds, "", "", fmt.Errorf("one folder for buckets and --iam-dir are needed")
	}
	return config, bounds, sidecar, posix.Arg(0), nil
}
