package main

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
)

const (
	// What is no upload of data has a body of at most so many bytes: "complete upload" with 10,000 parts has about
	// 2 MiB, "delete objects" with 1,000 keys of 1,024 bytes about 1 MiB. The admin API's are single accounts.
	bodyBytes      = 4 << 20
	adminBodyBytes = 64 << 10
	// VersityGW holds such a body whole and decoded, in 20 times its size and more. So many are held at once, and
	// others wait; those of a few KiB are not counted, since requests are.
	heldBodies  = 4
	smallBody   = 16 << 10
	waitSeconds = 10
)

// admit is the first to see a request: it lets VersityGW have it, if it is within the limits.
func (f *front) admit(ctx fiber.Ctx) error {
	held := ctx.RequestCtx().Conn()
	if secure, ok := held.(*tls.Conn); ok {
		held = secure.NetConn()
	}
	client, ok := held.(*connection)
	if !ok {
		f.take(ctx.App())
		return ctx.Next()
	}
	if f.separate && client.port.admin != (ctx.Method() == http.MethodPatch) {
		// All requests of the admin API are PATCH, and none of S3.
		return refuse(ctx, s3err.GetMethodNotAllowedErr(ctx.Method(), s3err.ResourceTypeService, nil))
	}
	path, err := url.PathUnescape(string(ctx.Request().URI().PathOriginal()))
	if err != nil || strings.ContainsRune(path, 0) {
		return refuse(ctx, s3err.GetAPIError(s3err.ErrInvalidURI))
	}
	if f.stopping.Load() || !f.requests.take(client.client) {
		return slowDown(ctx)
	}
	defer f.requests.give(client.client)
	if isUpload(ctx, path) {
		frame(ctx)
		return ctx.Next()
	}
	length := ctx.Request().Header.ContentLength()
	switch {
	case length == -1:
		// In chunks, so of any length.
		return refuse(ctx, s3err.GetAPIError(s3err.ErrMissingContentLength))
	case length > client.port.body:
		return refuse(ctx, s3err.GetEntityTooLargeErr(int64(length), int64(client.port.body)))
	case length > smallBody:
		if !f.bodies.await(client.client) {
			return slowDown(ctx)
		}
		defer f.bodies.give(client.client)
	}
	return ctx.Next()
}

// isUpload says whether the body is an object's or a part's data, which VersityGW writes to a file as it comes.
// It holds all other bodies in memory: of a copy, of what the query asks for instead, and the fields of a form.
func isUpload(ctx fiber.Ctx, path string) bool {
	_, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if ctx.Method() != http.MethodPut || strings.Trim(key, "/") == "" || ctx.Get("X-Amz-Copy-Source") != "" {
		return false
	}
	for part := range strings.SplitSeq(string(ctx.Request().URI().QueryString()), "&") {
		name, _, _ := strings.Cut(strings.ToLower(part), "=")
		switch {
		case name == "", name == "partnumber", name == "uploadid", name == "x-id", strings.HasPrefix(name, "x-amz-"):
		default:
			return false
		}
	}
	return true
}

func slowDown(ctx fiber.Ctx) error {
	ctx.Set(fiber.HeaderRetryAfter, "1")
	return refuse(ctx, s3err.GetAPIError(s3err.ErrSlowDown))
}

// refuse answers without reading the body.
func refuse(ctx fiber.Ctx, reason s3err.S3Error) error {
	request, host := utils.EnsureRequestIDs(ctx)
	ctx.Response().Header.SetContentType(fiber.MIMEApplicationXML)
	ctx.Response().Header.SetConnectionClose()
	return ctx.Status(reason.StatusCode()).Send(reason.XMLBody(request, host))
}
