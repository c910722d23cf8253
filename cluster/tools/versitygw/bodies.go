package main

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
)

const (
	// So many bodies are read into memory at once, and then VersityGW decodes so many of them, each into 20 times its
	// size and more. One place more is kept for root, which is the operator. Others wait; bodies of a few KiB are not
	// counted, since requests are.
	readBodies  = 16
	heldBodies  = 3
	smallBody   = 16 << 10
	waitSeconds = 10
	// A body is there within some seconds, and one more for each of so many bytes.
	bodySeconds = 5
	bodyRate    = 1 << 20
)

// bodies gives out places by who has signed the request: addresses are as many as a tenant has pods.
type bodies struct {
	root   auth.Account
	region string
	iam    auth.IAMService
	read   *shares
	held   *shares
	roots  *shares
}

func newBodies(config *embedgw.Config) (*bodies, error) {
	options := config.IamOpts()
	iam, err := auth.New(options)
	if err != nil {
		return nil, err
	}
	config.IAMService = iam
	return &bodies{
		root: options.RootAccount, region: config.Region, iam: iam,
		read: newShares(readBodies), held: newShares(heldBodies), roots: newShares(1),
	}, nil
}

// pass reads the whole body before it waits for a place among those that are decoded.
func (b *bodies) pass(ctx fiber.Ctx, length int) error {
	signer := b.signer(ctx)
	held := b.held
	if signer == b.root.Access {
		held = b.roots
	} else {
		if !b.read.await(signer) {
			return slowDown(ctx)
		}
		defer b.read.give(signer)
	}
	data, err := b.whole(ctx, length)
	if err != nil {
		return refuse(ctx, s3err.GetAPIError(s3err.ErrIncompleteBody))
	}
	if !held.await(signer) {
		return slowDown(ctx)
	}
	defer held.give(signer)
	ctx.Request().SetBodyStream(bytes.NewReader(data), length)
	return ctx.Next()
}

func (b *bodies) whole(ctx fiber.Ctx, length int) ([]byte, error) {
	connection := ctx.RequestCtx().Conn()
	seconds := bodySeconds + float64(length)/bodyRate
	if err := connection.SetReadDeadline(time.Now().Add(time.Duration(seconds * float64(time.Second)))); err != nil {
		return nil, err
	}
	defer connection.SetReadDeadline(time.Time{})
	data := make([]byte, length)
	_, err := io.ReadFull(ctx.RequestCtx().RequestBodyStream(), data)
	return data, err
}

// signer is the access key that has signed the headers, or empty: a URL or a form that is signed counts as nobody's.
// Only a good signature counts, or else anybody could use up the places of a tenant whose key he knows.
func (b *bodies) signer(ctx fiber.Ctx) string {
	claim, err := utils.ParseAuthorization(ctx.Get("Authorization"))
	if err != nil || claim.Region != b.region {
		return ""
	}
	when, err := time.Parse("20060102T150405Z", ctx.Get("X-Amz-Date"))
	if err != nil || utils.ValidateDate(when) != nil || claim.Date != when.Format("20060102") {
		return ""
	}
	// VersityGW's strings are the request's memory, and these outlive it: in the cache and as names of places.
	access := strings.Clone(claim.Access)
	key, _, err := auth.ResolveDerivedKey(b.iam, b.root, access, ctx.Get("X-Amz-Security-Token"), claim.Date, claim.Region, "s3")
	if err != nil {
		return ""
	}
	length, err := strconv.ParseInt(ctx.Get("Content-Length"), 10, 64)
	if err != nil {
		return ""
	}
	if _, err = utils.CheckValidSignature(ctx, claim, key, ctx.Get("X-Amz-Content-Sha256"), when, length); err != nil {
		return ""
	}
	return access
}
