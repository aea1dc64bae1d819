-- The stocktake application on MariaDB 10.5 or MySQL 8.0.16 or later, in the types and table names that Django gives its
-- models there. InnoDB makes the index of each foreign key by itself, and defers none.

-- The framework: content types, permissions, roles and users.
CREATE TABLE `django_content_type` (
    `id` integer NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `app_label` varchar(100) NOT NULL,
    `model` varchar(100) NOT NULL,
    UNIQUE KEY `django_content_type_app_label_model_uniq` (`app_label`, `model`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `auth_permission` (
    `id` integer NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `name` varchar(255) NOT NULL,
    `content_type_id` integer NOT NULL,
    `codename` varchar(100) NOT NULL,
    UNIQUE KEY `auth_permission_content_type_id_codename_uniq` (`content_type_id`, `codename`),
    CONSTRAINT `auth_permission_content_type_id_fk` FOREIGN KEY (`content_type_id`) REFERENCES `django_content_type` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `auth_group` (
    `id` integer NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `name` varchar(150) NOT NULL,
    UNIQUE KEY `auth_group_name_uniq` (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `auth_group_permissions` (
    `id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `group_id` integer NOT NULL,
    `permission_id` integer NOT NULL,
    UNIQUE KEY `auth_group_permissions_group_id_permission_id_uniq` (`group_id`, `permission_id`),
    CONSTRAINT `auth_group_permissions_group_id_fk` FOREIGN KEY (`group_id`) REFERENCES `auth_group` (`id`),
    CONSTRAINT `auth_group_permissions_permission_id_fk` FOREIGN KEY (`permission_id`) REFERENCES `auth_permission` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `auth_user` (
    `id` integer NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `password` varchar(128) NOT NULL,
    `last_login` datetime(6) NULL,
    `is_superuser` bool NOT NULL,
    `username` varchar(150) NOT NULL,
    `first_name` varchar(150) NOT NULL,
    `last_name` varchar(150) NOT NULL,
    `email` varchar(254) NOT NULL,
    `is_staff` bool NOT NULL,
    `is_active` bool NOT NULL,
    `date_joined` datetime(6) NOT NULL,
    UNIQUE KEY `auth_user_username_uniq` (`username`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `auth_user_groups` (
    `id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `user_id` integer NOT NULL,
    `group_id` integer NOT NULL,
    UNIQUE KEY `auth_user_groups_user_id_group_id_uniq` (`user_id`, `group_id`),
    CONSTRAINT `auth_user_groups_user_id_fk` FOREIGN KEY (`user_id`) REFERENCES `auth_user` (`id`),
    CONSTRAINT `auth_user_groups_group_id_fk` FOREIGN KEY (`group_id`) REFERENCES `auth_group` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `auth_user_user_permissions` (
    `id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `user_id` integer NOT NULL,
    `permission_id` integer NOT NULL,
    UNIQUE KEY `auth_user_user_permissions_user_id_permission_id_uniq` (`user_id`, `permission_id`),
    CONSTRAINT `auth_user_user_permissions_user_id_fk` FOREIGN KEY (`user_id`) REFERENCES `auth_user` (`id`),
    CONSTRAINT `auth_user_user_permissions_permission_id_fk` FOREIGN KEY (`permission_id`) REFERENCES `auth_permission` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- What is bought and kept: a tree of categories, suppliers, tags, items.
CREATE TABLE `stocktake_category` (
    `id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `name` varchar(100) NOT NULL,
    `slug` varchar(100) NOT NULL,
    `parent_id` bigint NULL,
    `position` integer NOT NULL,
    UNIQUE KEY `stocktake_category_slug_uniq` (`slug`),
    CONSTRAINT `stocktake_category_position_check` CHECK (`position` >= 0),
    CONSTRAINT `stocktake_category_parent_id_fk` FOREIGN KEY (`parent_id`) REFERENCES `stocktake_category` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `stocktake_supplier` (
    `id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `name` varchar(120) NOT NULL,
    `email` varchar(254) NOT NULL,
    `country` char(2) NOT NULL,
    `active` bool NOT NULL,
    `rating` double precision NULL,
    `notes` longtext NOT NULL,
    UNIQUE KEY `stocktake_supplier_name_uniq` (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `stocktake_tag` (
    `id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `name` varchar(60) NOT NULL,
    UNIQUE KEY `stocktake_tag_name_uniq` (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `stocktake_item` (
    `id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `sku` varchar(40) NOT NULL,
    `name` varchar(200) NOT NULL,
    `description` longtext NOT NULL,
    `barcode` varchar(20) NULL,
    `category_id` bigint NOT NULL,
    `supplier_id` bigint NOT NULL,
    `unit_price` decimal(10, 2) NOT NULL,
    `cost` decimal(10, 2) NOT NULL,
    `reorder_level` integer NOT NULL,
    `weight` double precision NULL,
    `attributes` json NOT NULL,
    `photo` longblob NULL,
    `is_active` bool NOT NULL,
    `created_at` datetime(6) NOT NULL,
    `discontinued_on` date NULL,
    UNIQUE KEY `stocktake_item_sku_uniq` (`sku`),
    UNIQUE KEY `stocktake_item_barcode_uniq` (`barcode`),
    CONSTRAINT `stocktake_item_unit_price_check` CHECK (`unit_price` >= 0),
    CONSTRAINT `stocktake_item_reorder_level_check` CHECK (`reorder_level` >= 0),
    CONSTRAINT `stocktake_item_category_id_fk` FOREIGN KEY (`category_id`) REFERENCES `stocktake_category` (`id`),
    CONSTRAINT `stocktake_item_supplier_id_fk` FOREIGN KEY (`supplier_id`) REFERENCES `stocktake_supplier` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `stocktake_item_tags` (
    `id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `item_id` bigint NOT NULL,
    `tag_id` bigint NOT NULL,
    UNIQUE KEY `stocktake_item_tags_item_id_tag_id_uniq` (`item_id`, `tag_id`),
    CONSTRAINT `stocktake_item_tags_item_id_fk` FOREIGN KEY (`item_id`) REFERENCES `stocktake_item` (`id`),
    CONSTRAINT `stocktake_item_tags_tag_id_fk` FOREIGN KEY (`tag_id`) REFERENCES `stocktake_tag` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- Where it is kept, how much of it, and how it moved.
CREATE TABLE `stocktake_location` (
    `id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `code` varchar(20) NOT NULL,
    `name` varchar(120) NOT NULL,
    `parent_id` bigint NULL,
    `sensor_id` bigint NULL,
    `is_bonded` bool NOT NULL,
    UNIQUE KEY `stocktake_location_code_uniq` (`code`),
    CONSTRAINT `stocktake_location_parent_id_fk` FOREIGN KEY (`parent_id`) REFERENCES `stocktake_location` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `stocktake_stock` (
    `id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `item_id` bigint NOT NULL,
    `location_id` bigint NOT NULL,
    `quantity` integer NOT NULL,
    `counted_at` datetime(6) NULL,
    UNIQUE KEY `stocktake_stock_item_id_location_id_uniq` (`item_id`, `location_id`),
    CONSTRAINT `stocktake_stock_quantity_check` CHECK (`quantity` >= 0),
    CONSTRAINT `stocktake_stock_item_id_fk` FOREIGN KEY (`item_id`) REFERENCES `stocktake_item` (`id`),
    CONSTRAINT `stocktake_stock_location_id_fk` FOREIGN KEY (`location_id`) REFERENCES `stocktake_location` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `stocktake_movement` (
    `id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `reference` char(36) NOT NULL,
    `item_id` bigint NOT NULL,
    `location_id` bigint NULL,
    `user_id` integer NOT NULL,
    `kind` varchar(12) NOT NULL,
    `quantity` integer NOT NULL,
    `moved_at` datetime(6) NOT NULL,
    `note` varchar(200) NOT NULL,
    UNIQUE KEY `stocktake_movement_reference_uniq` (`reference`),
    CONSTRAINT `stocktake_movement_kind_check` CHECK (`kind` IN ('receipt', 'issue', 'transfer', 'count')),
    CONSTRAINT `stocktake_movement_quantity_check` CHECK (`quantity` <> 0),
    CONSTRAINT `stocktake_movement_item_id_fk` FOREIGN KEY (`item_id`) REFERENCES `stocktake_item` (`id`),
    CONSTRAINT `stocktake_movement_location_id_fk` FOREIGN KEY (`location_id`) REFERENCES `stocktake_location` (`id`),
    CONSTRAINT `stocktake_movement_user_id_fk` FOREIGN KEY (`user_id`) REFERENCES `auth_user` (`id`),
    CONSTRAINT `stocktake_movement_item_id_location_id_fk` FOREIGN KEY (`item_id`, `location_id`) REFERENCES `stocktake_stock` (`item_id`, `location_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- Orders. deliver_to holds a location code and is not declared as a reference.
CREATE TABLE `stocktake_order` (
    `id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `number` varchar(20) NOT NULL,
    `supplier_id` bigint NOT NULL,
    `created_by_id` integer NOT NULL,
    `status` varchar(12) NOT NULL,
    `ordered_at` datetime(6) NOT NULL,
    `deliver_to` varchar(20) NULL,
    `total` decimal(12, 2) NULL,
    UNIQUE KEY `stocktake_order_number_uniq` (`number`),
    CONSTRAINT `stocktake_order_status_check` CHECK (`status` IN ('draft', 'placed', 'received', 'cancelled')),
    CONSTRAINT `stocktake_order_supplier_id_fk` FOREIGN KEY (`supplier_id`) REFERENCES `stocktake_supplier` (`id`),
    CONSTRAINT `stocktake_order_created_by_id_fk` FOREIGN KEY (`created_by_id`) REFERENCES `auth_user` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `stocktake_orderline` (
    `id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `order_id` bigint NOT NULL,
    `line_no` integer NOT NULL,
    `item_id` bigint NOT NULL,
    `quantity` integer NOT NULL,
    `unit_price` decimal(10, 2) NOT NULL,
    `amount` decimal(12, 2) NOT NULL,
    UNIQUE KEY `stocktake_orderline_order_id_line_no_uniq` (`order_id`, `line_no`),
    CONSTRAINT `stocktake_orderline_line_no_check` CHECK (`line_no` > 0),
    CONSTRAINT `stocktake_orderline_order_id_fk` FOREIGN KEY (`order_id`) REFERENCES `stocktake_order` (`id`),
    CONSTRAINT `stocktake_orderline_item_id_fk` FOREIGN KEY (`item_id`) REFERENCES `stocktake_item` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- A cycle: a document knows its current version, a version belongs to its document.
CREATE TABLE `stocktake_document` (
    `id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `title` varchar(200) NOT NULL,
    `item_id` bigint NULL,
    `owner_id` integer NULL,
    `current_version_id` bigint NULL,
    CONSTRAINT `stocktake_document_item_id_fk` FOREIGN KEY (`item_id`) REFERENCES `stocktake_item` (`id`),
    CONSTRAINT `stocktake_document_owner_id_fk` FOREIGN KEY (`owner_id`) REFERENCES `auth_user` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE `stocktake_documentversion` (
    `id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `document_id` bigint NOT NULL,
    `version_no` integer NOT NULL,
    `author_id` integer NULL,
    `body` longtext NOT NULL,
    `created_at` datetime(6) NOT NULL,
    UNIQUE KEY `stocktake_documentversion_document_id_version_no_uniq` (`document_id`, `version_no`),
    CONSTRAINT `stocktake_documentversion_version_no_check` CHECK (`version_no` > 0),
    CONSTRAINT `stocktake_documentversion_document_id_fk` FOREIGN KEY (`document_id`) REFERENCES `stocktake_document` (`id`),
    CONSTRAINT `stocktake_documentversion_author_id_fk` FOREIGN KEY (`author_id`) REFERENCES `auth_user` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- Who changed what: a generic reference of content type and object id.
CREATE TABLE `stocktake_auditentry` (
    `id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `at` datetime(6) NOT NULL,
    `user_id` integer NULL,
    `action` varchar(20) NOT NULL,
    `content_type_id` integer NOT NULL,
    `object_id` varchar(64) NOT NULL,
    `changes` json NULL,
    CONSTRAINT `stocktake_auditentry_user_id_fk` FOREIGN KEY (`user_id`) REFERENCES `auth_user` (`id`),
    CONSTRAINT `stocktake_auditentry_content_type_id_fk` FOREIGN KEY (`content_type_id`) REFERENCES `django_content_type` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

ALTER TABLE `stocktake_document` ADD CONSTRAINT `stocktake_document_current_version_id_fk` FOREIGN KEY (`current_version_id`) REFERENCES `stocktake_documentversion` (`id`);
