ARG GO_IMAGE=golang:1.26
FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /meower .

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="Meower Server" \
      org.opencontainers.image.description="REST and CloudLink 4 server of the Meower social platform" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /meower /meower
USER 65532:65532
# Inside the container every address; what is published is for the host to say.
ENV HOST=0.0.0.0
EXPOSE 3000 3001
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["/meower", "healthcheck"]
ENTRYPOINT ["/meower"]
