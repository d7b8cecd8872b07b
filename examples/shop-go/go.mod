module shop-go

go 1.22
