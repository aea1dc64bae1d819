-- Made by the generator. Plants damage into a MariaDB database that holds the clean data.
-- For MariaDB: MySQL knows no check_constraint_checks.
SET NAMES utf8mb4;
SET foreign_key_checks = 0;
SET check_constraint_checks = 0;
SET sql_mode = '';

-- order lines whose order is gone
INSERT INTO `stocktake_orderline` (`id`, `order_id`, `line_no`, `item_id`, `quantity`, `unit_price`, `amount`) VALUES
    (900001, 990001, 900001, 1, 1, 1.00, 1.00);

-- order lines whose order is gone
INSERT INTO `stocktake_orderline` (`id`, `order_id`, `line_no`, `item_id`, `quantity`, `unit_price`, `amount`) VALUES
    (900002, 990001, 900002, 1, 1, 1.00, 1.00);

-- an item whose supplier is gone
INSERT INTO `stocktake_item` (`id`, `sku`, `name`, `description`, `barcode`, `category_id`, `supplier_id`, `unit_price`, `cost`, `reorder_level`, `weight`, `attributes`, `photo`, `is_active`, `created_at`, `discontinued_on`) VALUES
    (900001, 'PLANTED-900001', 'Planted', '', NULL, 1, 990001, 1.00, 0.50, 0, NULL, '{}', NULL, 1, '2025-05-05 05:05:05.000005', NULL);

-- a self-reference to a row that is gone
INSERT INTO `stocktake_category` (`id`, `name`, `slug`, `parent_id`, `position`) VALUES
    (900001, 'Planted', 'planted-900001', 990001, 0);

-- a join row whose tag is gone
INSERT INTO `stocktake_item_tags` (`id`, `item_id`, `tag_id`) VALUES
    (900001, 900001, 990001);

-- a join row whose role is gone
INSERT INTO `auth_user_groups` (`id`, `user_id`, `group_id`) VALUES
    (900001, 1, 990001);

-- within the cycle, from its nullable side
INSERT INTO `stocktake_document` (`id`, `title`, `item_id`, `owner_id`, `current_version_id`) VALUES
    (900001, 'Planted 900001', NULL, NULL, 990001);

-- within the cycle, from its other side
INSERT INTO `stocktake_documentversion` (`id`, `document_id`, `version_no`, `author_id`, `body`, `created_at`) VALUES
    (900001, 990001, 900001, NULL, '', '2025-05-05 05:05:05.000005');

-- an audit entry whose content type is gone
INSERT INTO `stocktake_auditentry` (`id`, `at`, `user_id`, `action`, `content_type_id`, `object_id`, `changes`) VALUES
    (900001, '2025-05-05 05:05:05.000005', NULL, 'change', 990001, '1', NULL);

-- a virtual reference without target
INSERT INTO `stocktake_order` (`id`, `number`, `supplier_id`, `created_by_id`, `status`, `ordered_at`, `deliver_to`, `total`) VALUES
    (900001, 'PLANTED-900001', 1, 1, 'draft', '2025-05-05 05:05:05.000005', 'NOWHERE', 0.00);

-- a location without stock of item 1
INSERT INTO `stocktake_location` (`id`, `code`, `name`, `parent_id`, `sensor_id`, `is_bonded`) VALUES
    (900001, 'PLANTED-900001', 'Planted', NULL, NULL, 0);

-- item and location exist, stock of this item there does not
INSERT INTO `stocktake_movement` (`id`, `reference`, `item_id`, `location_id`, `user_id`, `kind`, `quantity`, `moved_at`, `note`) VALUES
    (900001, '00000000-0000-4000-8000-0000000dbba1', 1, 900001, 1, 'transfer', 1, '2025-05-05 05:05:05.000005', '');

-- the item is gone, and with it the stock
INSERT INTO `stocktake_movement` (`id`, `reference`, `item_id`, `location_id`, `user_id`, `kind`, `quantity`, `moved_at`, `note`) VALUES
    (900002, '00000000-0000-4000-8000-0000000dbba2', 990001, 1, 1, 'transfer', 1, '2025-05-05 05:05:05.000005', '');

-- half of the composite key is NULL: no reference
INSERT INTO `stocktake_movement` (`id`, `reference`, `item_id`, `location_id`, `user_id`, `kind`, `quantity`, `moved_at`, `note`) VALUES
    (900003, '00000000-0000-4000-8000-0000000dbba3', 1, NULL, 1, 'transfer', 1, '2025-05-05 05:05:05.000005', '');

-- its own parent
INSERT INTO `stocktake_category` (`id`, `name`, `slug`, `parent_id`, `position`) VALUES
    (900002, 'Planted', 'planted-900002', 900002, 0);

-- stock below nothing
INSERT INTO `stocktake_stock` (`id`, `item_id`, `location_id`, `quantity`, `counted_at`) VALUES
    (900001, 900001, 900001, -5, NULL);

-- a kind that there is not
INSERT INTO `stocktake_movement` (`id`, `reference`, `item_id`, `location_id`, `user_id`, `kind`, `quantity`, `moved_at`, `note`) VALUES
    (900004, '00000000-0000-4000-8000-0000000dbba4', 1, NULL, 1, 'stolen', 1, '2025-05-05 05:05:05.000005', '');

-- the zero date
INSERT INTO `stocktake_item` (`id`, `sku`, `name`, `description`, `barcode`, `category_id`, `supplier_id`, `unit_price`, `cost`, `reorder_level`, `weight`, `attributes`, `photo`, `is_active`, `created_at`, `discontinued_on`) VALUES
    (900005, 'PLANTED-900005', 'Planted', '', NULL, 1, 1, 1.00, 0.50, 0, NULL, '{}', NULL, 1, '2025-05-05 05:05:05.000005', '0000-00-00');

-- the order of the next line
INSERT INTO `stocktake_order` (`id`, `number`, `supplier_id`, `created_by_id`, `status`, `ordered_at`, `deliver_to`, `total`) VALUES
    (900005, 'PLANTED-900005', 1, 1, 'draft', '2025-05-05 05:05:05.000005', NULL, -3.00);

-- a negative quantity in a column without CHECK
INSERT INTO `stocktake_orderline` (`id`, `order_id`, `line_no`, `item_id`, `quantity`, `unit_price`, `amount`) VALUES
    (900003, 900005, 900003, 1, -3, 1.00, -3.00);

-- a cost of less than nothing
INSERT INTO `stocktake_item` (`id`, `sku`, `name`, `description`, `barcode`, `category_id`, `supplier_id`, `unit_price`, `cost`, `reorder_level`, `weight`, `attributes`, `photo`, `is_active`, `created_at`, `discontinued_on`) VALUES
    (900006, 'PLANTED-900006', 'Planted', '', NULL, 1, 1, 1.00, -0.01, 0, NULL, '{}', NULL, 1, '2025-05-05 05:05:05.000005', NULL);

-- a rating past the highest
INSERT INTO `stocktake_supplier` (`id`, `name`, `email`, `country`, `active`, `rating`, `notes`) VALUES
    (900002, 'Planted 900002', 'sales@planted.example', 'DE', 1, 7.5, '');

-- the highest rating
INSERT INTO `stocktake_supplier` (`id`, `name`, `email`, `country`, `active`, `rating`, `notes`) VALUES
    (900003, 'Planted 900003', 'sales@planted.example', 'DE', 1, 5.0, '');

-- made in the future
INSERT INTO `stocktake_item` (`id`, `sku`, `name`, `description`, `barcode`, `category_id`, `supplier_id`, `unit_price`, `cost`, `reorder_level`, `weight`, `attributes`, `photo`, `is_active`, `created_at`, `discontinued_on`) VALUES
    (900007, 'PLANTED-900007', 'Planted', '', NULL, 1, 1, 1.00, 0.50, 0, NULL, '{}', NULL, 1, '2099-01-01 00:00:00', NULL);

-- moved in the future
INSERT INTO `stocktake_movement` (`id`, `reference`, `item_id`, `location_id`, `user_id`, `kind`, `quantity`, `moved_at`, `note`) VALUES
    (900005, '00000000-0000-4000-8000-0000000dbba5', 1, NULL, 1, 'transfer', 1, '2099-01-01 00:00:00', '');

-- ordered in the future
INSERT INTO `stocktake_order` (`id`, `number`, `supplier_id`, `created_by_id`, `status`, `ordered_at`, `deliver_to`, `total`) VALUES
    (900006, 'PLANTED-900006', 1, 1, 'draft', '2099-01-01 00:00:00', NULL, 0.00);

-- four minutes ahead, within the slack of five
INSERT INTO `stocktake_order` (`id`, `number`, `supplier_id`, `created_by_id`, `status`, `ordered_at`, `deliver_to`, `total`) VALUES
    (900007, 'PLANTED-900007', 1, 1, 'draft', '2026-06-01 00:04:00', NULL, 0.00);

-- a total that is ten more than its lines
INSERT INTO `stocktake_order` (`id`, `number`, `supplier_id`, `created_by_id`, `status`, `ordered_at`, `deliver_to`, `total`) VALUES
    (900008, 'PLANTED-900008', 1, 1, 'draft', '2025-05-05 05:05:05.000005', NULL, 100.00);

-- a line of the order before
INSERT INTO `stocktake_orderline` (`id`, `order_id`, `line_no`, `item_id`, `quantity`, `unit_price`, `amount`) VALUES
    (900004, 900008, 900004, 1, 1, 60.00, 60.00);

-- a line of the order before
INSERT INTO `stocktake_orderline` (`id`, `order_id`, `line_no`, `item_id`, `quantity`, `unit_price`, `amount`) VALUES
    (900005, 900008, 900005, 1, 1, 30.00, 30.00);

-- a total that is off by two cents, past the tolerance
INSERT INTO `stocktake_order` (`id`, `number`, `supplier_id`, `created_by_id`, `status`, `ordered_at`, `deliver_to`, `total`) VALUES
    (900009, 'PLANTED-900009', 1, 1, 'draft', '2025-05-05 05:05:05.000005', NULL, 90.02);

-- a line of the order before
INSERT INTO `stocktake_orderline` (`id`, `order_id`, `line_no`, `item_id`, `quantity`, `unit_price`, `amount`) VALUES
    (900006, 900009, 900006, 1, 1, 60.00, 60.00);

-- a line of the order before
INSERT INTO `stocktake_orderline` (`id`, `order_id`, `line_no`, `item_id`, `quantity`, `unit_price`, `amount`) VALUES
    (900007, 900009, 900007, 1, 1, 30.00, 30.00);

-- a total that is off by one cent, within the tolerance
INSERT INTO `stocktake_order` (`id`, `number`, `supplier_id`, `created_by_id`, `status`, `ordered_at`, `deliver_to`, `total`) VALUES
    (900010, 'PLANTED-900010', 1, 1, 'draft', '2025-05-05 05:05:05.000005', NULL, 90.01);

-- a line of the order before
INSERT INTO `stocktake_orderline` (`id`, `order_id`, `line_no`, `item_id`, `quantity`, `unit_price`, `amount`) VALUES
    (900008, 900010, 900008, 1, 1, 60.00, 60.00);

-- a line of the order before
INSERT INTO `stocktake_orderline` (`id`, `order_id`, `line_no`, `item_id`, `quantity`, `unit_price`, `amount`) VALUES
    (900009, 900010, 900009, 1, 1, 30.00, 30.00);

-- a total without lines
INSERT INTO `stocktake_order` (`id`, `number`, `supplier_id`, `created_by_id`, `status`, `ordered_at`, `deliver_to`, `total`) VALUES
    (900011, 'PLANTED-900011', 1, 1, 'draft', '2025-05-05 05:05:05.000005', NULL, 25.00);

-- no total, no lines
INSERT INTO `stocktake_order` (`id`, `number`, `supplier_id`, `created_by_id`, `status`, `ordered_at`, `deliver_to`, `total`) VALUES
    (900012, 'PLANTED-900012', 1, 1, 'draft', '2025-05-05 05:05:05.000005', NULL, 0.00);

-- lines without a total
INSERT INTO `stocktake_order` (`id`, `number`, `supplier_id`, `created_by_id`, `status`, `ordered_at`, `deliver_to`, `total`) VALUES
    (900013, 'PLANTED-900013', 1, 1, 'draft', '2025-05-05 05:05:05.000005', NULL, NULL);

-- a line of the order before
INSERT INTO `stocktake_orderline` (`id`, `order_id`, `line_no`, `item_id`, `quantity`, `unit_price`, `amount`) VALUES
    (900010, 900013, 900010, 1, 1, 5.00, 5.00);

SET sql_mode = DEFAULT;
SET check_constraint_checks = 1;
SET foreign_key_checks = 1;
